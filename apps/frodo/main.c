/*
 * frodo: the command line. `frodo run`, `migrate`, `routes`, `openapi`, `check` come with
 * bide_main.
 */
#include "frodo.h"

int main(int argc, char **argv)
{
    return bide_main(argc, argv, frodo_app);
}
