/*
 * The tests of heads and walks once more on what machines without SSE2 run: the sources stand here
 * in place of those of the library.
 */
#define BIDE__HTTP_PORTABLE 1

#include "http/framing.c"
#include "http/head.c"
#include "http/names.c"
#include "http/scan.c"
#include "http/whole_lines.c"

#include "head_test.c"
#include "names_test.c"
#include "response_test.c"
#include "scan_test.c"
