#include "testing.h"

FRODO_TEST(the_application_starts_and_is_ready)
{
    with_client(client, frodo_app_with(c->settings)) {
        check_int(await(client_get(client, "/healthz")).status, 200);
        check_int(await(client_get(client, "/readyz")).status, 200);
    }
}
