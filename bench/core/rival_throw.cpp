// The twin of bide's `fail_4`: a throw that leaves four frames, each with a destructor to run, and
// a catch above them. The exception carries what bide's error carries: a code and a message.
#include "measure.h"

struct failure {
    int code;
    const char *message;
};

static volatile unsigned released;

struct resource {
    unsigned weight;
    ~resource() { released = released + weight; }
};

#define FRAME __attribute__((noipa))

FRAME static int frame_4(int input)
{
    resource held = { 4 };
    if (input >= 0)
        throw failure{ 409, "taken" };
    return input;
}

FRAME static int frame_3(int input)
{
    resource held = { 3 };
    return frame_4(input) + 1;
}

FRAME static int frame_2(int input)
{
    resource held = { 2 };
    return frame_3(input) + 1;
}

FRAME static int frame_1(int input)
{
    resource held = { 1 };
    return frame_2(input) + 1;
}

static measured fail_4(uint64_t count)
{
    uint64_t caught = 0;
    unsigned released_before = released;
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        try {
            frame_1((int)(i & 0xffff));
        } catch (const failure &error) {
            caught += error.code == 409;
        }
    }
    measured run = { count, measure_now_ns() - start_ns };
    if (caught != count || released - released_before != (unsigned)(10 * count))
        abort();
    return run;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "fail_4"))
            measure_case(argv[i], fail_4, 1000);
    return 0;
}
