/*
 * alone.c: the command `check` for a program whose main is another one (its `main` is renamed when
 * it is compiled): see README.md.
 */
#include "base/subcommand.h"

int main(int argc, char **argv)
{
    (void)argc;
    return bide__subcommand_find("check")->run("check", argv + 1);
}
