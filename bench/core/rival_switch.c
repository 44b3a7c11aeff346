/* The smallest coroutine switch there can be: the callee-saved registers, a stack pointer, pop and
 * an indirect jump. `switch_bare` is one switch of a ping-pong between two stacks. It is the floor
 * under bide's own switch. */
#include "measure.h"

void rival_switch(void **save, void *load);
void rival_enter(void);

#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl rival_switch\n"
        ".type rival_switch, @function\n"
        "rival_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    jmpq *%rcx\n"
        ".size rival_switch, . - rival_switch\n"
        ".globl rival_enter\n"
        ".type rival_enter, @function\n"
        "rival_enter:\n"
        "    callq *%rbx\n"
        "    hlt\n"
        ".size rival_enter, . - rival_enter\n");
enum { SAVED_WORDS = 7, ENTRY_WORD = 4, RETURN_WORD = 6 }; /* r15 r14 r13 r12 rbx rbp rip */
#elif defined(__aarch64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl rival_switch\n"
        ".type rival_switch, %function\n"
        "rival_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    br x30\n"
        ".size rival_switch, . - rival_switch\n"
        ".globl rival_enter\n"
        ".type rival_enter, %function\n"
        "rival_enter:\n"
        "    blr x19\n"
        "    brk #0\n"
        ".size rival_enter, . - rival_enter\n");
enum { SAVED_WORDS = 20, ENTRY_WORD = 0, RETURN_WORD = 11 };
#else
#error "the bench knows x86-64 and aarch64"
#endif

static _Alignas(64) uintptr_t other_stack[8192];
static void *main_context, *other_context;

static void pong(void)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    for (;;) {
        rival_switch(&other_context, main_context);
        MEASURE_ALIVE(a, b, c, d, e, f);
    }
}

static void make_other_context(void)
{
    uintptr_t *top = other_stack + sizeof other_stack / sizeof *other_stack - 2;
    uintptr_t *saved = top - SAVED_WORDS;
    saved[ENTRY_WORD] = (uintptr_t)pong;
    saved[RETURN_WORD] = (uintptr_t)rival_enter;
    other_context = saved;
}

static struct measured switch_bare(uint64_t count)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, i, start_ns = measure_now_ns();
    for (i = 0; i < count; i += 2) {
        rival_switch(&main_context, other_context);
        MEASURE_ALIVE(a, b, c, d, i, count);
    }
    return (struct measured){i, measure_now_ns() - start_ns};
}

int main(int argc, char **argv)
{
    make_other_context();
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "switch_bare"))
            measure_case(argv[i], switch_bare, 100000);
    return 0;
}
