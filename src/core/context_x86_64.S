/*
 * The start of a stack and the landing of the unwinder on x86-64 (System V ABI). The switch itself
 * is inline in core/context.h, the only caller.
 *
 * The shadow stack (SHSTK) is not marked in the ELF note, so that glibc leaves it off; IBT is.
 */
#if defined(__x86_64__)
    .text

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
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
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
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
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
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
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
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
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
