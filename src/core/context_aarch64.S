/*
 * The context switch and the landing of the unwinder on aarch64 (AAPCS64). The counterpart of
 * context_x86_64.S; the frame is 160 bytes: x19-x28, x29, x30, d8-d15.
 */
#if defined(__aarch64__)
    .text

    .macro  save_registers
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    .endm

    .macro  load_registers
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    .endm

    .macro  describe_registers
    .cfi_def_cfa_offset 160
    .cfi_offset x19, -160
    .cfi_offset x20, -152
    .cfi_offset x21, -144
    .cfi_offset x22, -136
    .cfi_offset x23, -128
    .cfi_offset x24, -120
    .cfi_offset x25, -112
    .cfi_offset x26, -104
    .cfi_offset x27, -96
    .cfi_offset x28, -88
    .cfi_offset x29, -80
    .cfi_offset x30, -72
    .cfi_offset d8, -64
    .cfi_offset d9, -56
    .cfi_offset d10, -48
    .cfi_offset d11, -40
    .cfi_offset d12, -32
    .cfi_offset d13, -24
    .cfi_offset d14, -16
    .cfi_offset d15, -8
    .endm

/* void bide__context_switch(void **save_sp, void *to_sp) */
    .globl  bide__context_switch
    .hidden bide__context_switch
    .type   bide__context_switch, %function
    .p2align 4
bide__context_switch:
    .cfi_startproc
    hint    #34 /* bti c */
    sub     sp, sp, #160
    describe_registers
    save_registers
    mov     x9, sp
    str     x9, [x0]
    mov     sp, x1
    load_registers
    add     sp, sp, #160
    .cfi_def_cfa_offset 0
    br      x30
    .cfi_endproc
    .size   bide__context_switch, . - bide__context_switch

/* void bide__park(const struct bide__parking *): the same, with its two arguments in memory. */
    .globl  bide__park
    .type   bide__park, %function
    .p2align 4
bide__park:
    .cfi_startproc
    hint    #34
    ldr     x1, [x0, #8]
    ldr     x0, [x0]
    b       bide__context_switch
    .cfi_endproc
    .size   bide__park, . - bide__park

/* The first frame of a stack: x19 = argument, x20 = function. Unwinders stop here. */
    .globl  bide__context_start
    .hidden bide__context_start
    .type   bide__context_start, %function
    .p2align 4
bide__context_start:
    .cfi_startproc
    .cfi_undefined x30
    hint    #36 /* bti j */
    mov     x29, #0
    mov     x0, x19
    blr     x20
    brk     #1
    .cfi_endproc
    .size   bide__context_start, . - bide__context_start

/* int bide__context_call(void (*fn)(void *), void *arg, void **landing_sp) */
    .globl  bide__context_call
    .hidden bide__context_call
    .type   bide__context_call, %function
    .p2align 4
bide__context_call:
    .cfi_startproc
    hint    #34
    sub     sp, sp, #160
    describe_registers
    save_registers
    mov     x9, sp
    str     x9, [x2]
    mov     x9, x0
    mov     x0, x1
    blr     x9
    .globl  bide__context_return
    .hidden bide__context_return
bide__context_return:
    mov     w0, #0
.Lleave:
    load_registers
    add     sp, sp, #160
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size   bide__context_call, . - bide__context_call

/* void bide__context_land(void *landing_sp) */
    .globl  bide__context_land
    .hidden bide__context_land
    .type   bide__context_land, %function
    .p2align 4
bide__context_land:
    hint    #34
    mov     sp, x0
    mov     w0, #1
    b       .Lleave
    .size   bide__context_land, . - bide__context_land
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
