/* The handler that kore loads: its routes are in rival_kore.conf. */
#include <kore/kore.h>

#include <kore/http.h>

int answer(struct http_request *request);
int answer(struct http_request *request)
{
    http_response_header(request, "content-type", "text/plain; charset=utf-8");
    http_response(request, 200, "Hello, World!", 13);
    return KORE_RESULT_OK;
}
