/*
 * The start of a stack and the landing of the unwinder on x86-64 (System V ABI). The switch itself
 * is inline in core/context.h, the only caller.
 *
 * The shadow stack (SHSTK) is not marked in the ELF note, so that glibc leaves it off; IBT is.
 */
#if defined(__x86_64__)
    .text

    .macro  save_register name
    pushq   %\name
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \name, 0
    .endm

    .macro  load_register name
    popq    %\name
    .cfi_adjust_cfa_offset -8
    .cfi_restore \name
    .endm

    .macro  save_registers
    save_register rbp
    save_register rbx
    save_register r12
    save_register r13
    save_register r14
    save_register r15
    .endm

    .macro  load_registers
    load_register r15
    load_register r14
    load_register r13
    load_register r12
    load_register rbx
    load_register rbp
    .endm

/*
 * void bide__park(const struct bide__parking *): the switch of core/context.h for callers that are
 * not inline. It goes back to its caller by a jump; to another task that parked, by that one only.
 */
    .globl  bide__park
    .type   bide__park, @function
    .p2align 4
bide__park:
    .cfi_startproc
    endbr64
    save_registers
    leaq    .Lparked(%rip), %rax
    pushq   %rax
    .cfi_adjust_cfa_offset 8
    movq    (%rdi), %rcx
    movq    %rsp, (%rcx)
    movq    8(%rdi), %rsp
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    cmpq    %rax, %rcx
    jne     .Lgo
.Lparked:
    load_registers
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, rcx
.Lgo:
    notrack jmp *%rcx
    .cfi_endproc
    .size   bide__park, . - bide__park

/* The first frame of a stack, which holds the argument and the function. Unwinders stop here. */
    .globl  bide__context_start
    .hidden bide__context_start
    .type   bide__context_start, @function
    .p2align 4
bide__context_start:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    popq    %rdi
    popq    %rax
    subq    $8, %rsp
    xorl    %ebp, %ebp
    call    *%rax
    ud2
    .cfi_endproc
    .size   bide__context_start, . - bide__context_start

/*
 * int bide__context_call(void (*fn)(void *), void *arg, void **landing_sp)
 * 0 when fn returned, 1 when the unwinder landed here. All callee-saved registers are in this
 * frame, so landing needs nothing but the stack pointer.
 */
    .globl  bide__context_call
    .hidden bide__context_call
    .type   bide__context_call, @function
    .p2align 4
bide__context_call:
    .cfi_startproc
    endbr64
    save_registers
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    movq    %rsp, (%rdx)
    movq    %rdi, %rax
    movq    %rsi, %rdi
    call    *%rax
    .globl  bide__context_return
    .hidden bide__context_return
bide__context_return:
    xorl    %eax, %eax
.Lleave:
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    load_registers
    ret
    .cfi_endproc
    .size   bide__context_call, . - bide__context_call

/* void bide__context_land(void *landing_sp): back into the call above, which returns 1. */
    .globl  bide__context_land
    .hidden bide__context_land
    .type   bide__context_land, @function
    .p2align 4
bide__context_land:
    endbr64
    movq    %rdi, %rsp
    movl    $1, %eax
    jmp     .Lleave
    .size   bide__context_land, . - bide__context_land

    .section .note.gnu.property, "a"
    .p2align 3
    .long   4
    .long   16
    .long   5
    .asciz  "GNU"
    .long   0xc0000002
    .long   4
    .long   1
    .long   0
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
