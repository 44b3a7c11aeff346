/* Misuse of routes, of their parameters, of providers. */
#include <bide/error.h>
#include <bide/web.h>

typedef struct store store;
MODEL(thing, "", (i64, id), (str, name));
MODEL(thing_in, "", (str, name));
async(int) count_things(store *things);

PROVIDER(store *, open_store)
{
    provide(bide_app_state(req));
}

#ifdef CASE_provider_of_another_type
// gcc: parameter `things`: provider `open_store` provides another type
// clang: parameter `things`: provider `open_store` provides another type
#ifndef FIXED
GET(get_thing, "/thing", thing, depends(thing *, things, open_store)) // <- here
#else
GET(get_thing, "/thing", thing, depends(store *, things, open_store))
#endif
{
    return (thing){.id = 1};
}
#endif // CASE_provider_of_another_type

#ifdef CASE_unknown_parameter
// gcc: a route has no parameters like `pth(i64, id)`
// clang: a route has no parameters like `pth(i64, id)`
#ifndef FIXED
GET(get_thing, "/thing/{id}", thing, pth(i64, id)) // <- here
{
    return (thing){.id = 1};
}
#else
GET(get_thing, "/thing/{id}", thing, path(i64, id))
{
    return (thing){.id = id};
}
#endif
#endif // CASE_unknown_parameter

#ifdef CASE_unknown_response
// gcc: bide_type_thingg
// clang: bide_type_thingg
#ifndef FIXED
GET(get_thing, "/thing", thingg) // <- here
#else
GET(get_thing, "/thing", thing)
#endif
{
    return (thing){.id = 1};
}
#endif // CASE_unknown_response

#ifdef CASE_response_is_no_model
// gcc: route `count_all`: its response is not a model
// clang: route `count_all`: its response is not a model
#ifndef FIXED
GET(count_all, "/count", i64) // <- here
{
    return 1;
}
#else
GET(count_all, "/count", text)
{
    return "1";
}
#endif
#endif // CASE_response_is_no_model

#ifdef CASE_attribute_of_another_type
// gcc: field `id`: there is no attribute `len(1, 2)` for the type `i64`
// clang: field `id`: there is no attribute `len(1, 2)` for the type `i64`
#ifndef FIXED
GET(get_thing, "/thing/{id}", thing, path(i64, id, len(1, 2))) // <- here
#else
GET(get_thing, "/thing/{id}", thing, path(i64, id, range(1, 2)))
#endif
{
    return (thing){.id = id};
}
#endif // CASE_attribute_of_another_type

#ifdef CASE_attribute_of_models_only
// gcc: parameter `id`: its type or an attribute is for models only
// clang: parameter `id`: its type or an attribute is for models only
#ifndef FIXED
GET(get_thing, "/thing", thing, query(i64, id, generated)) // <- here
#else
GET(get_thing, "/thing", thing, query(i64, id))
#endif
{
    return (thing){.id = id};
}
#endif // CASE_attribute_of_models_only

#ifdef CASE_two_bodies
// gcc: `add_thing` has two bodies
// clang: `add_thing` has two bodies
#ifndef FIXED
POST(add_thing, "/things", nothing, body(thing_in, a), body(thing, b)) // <- here
#else
POST(add_thing, "/things", nothing, body(thing_in, a))
#endif
{
    if (!a->name)
        fail(http_error(400, "no name"));
}
#endif // CASE_two_bodies

#ifdef CASE_status_of_a_failure
// gcc: status(404) is no success
// clang: status(404) is no success
#ifndef FIXED
GET(get_thing, "/thing", thing, status(404)) // <- here
#else
GET(get_thing, "/thing", thing, status(203))
#endif
{
    return (thing){.id = 1};
}
#endif // CASE_status_of_a_failure

#ifdef CASE_a_body_without_bytes
// gcc: max_body(0) lets no body in
// clang: max_body(0) lets no body in
#ifndef FIXED
POST(take_thing, "/thing", nothing, max_body(0)) // <- here
#else
POST(take_thing, "/thing", nothing, max_body(1 << 20), deadline_ms(1000))
#endif
{
}
#endif // CASE_a_body_without_bytes

#ifdef CASE_body_is_changed
// gcc: assignment of member 'name' in read-only object
// clang: cannot assign to variable 'form' with const-qualified type 'const thing_in *'
POST(add_thing, "/things", thing, body(thing_in, form))
{
#ifndef FIXED
    form->name = "other"; // <- here
    return (thing){.name = form->name};
#else
    thing_in changed = *form;
    changed.name = "other";
    return (thing){.name = changed.name};
#endif
}
#endif // CASE_body_is_changed

#ifdef CASE_forgotten_await_in_a_handler
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_int' invalid)
GET(are_there, "/any", text, depends(store *, things, open_store))
{
#ifndef FIXED
    if (count_things(things)) // <- here
#else
    if (await(count_things(things)))
#endif
        return "yes";
    return "no";
}
#endif // CASE_forgotten_await_in_a_handler

#ifdef CASE_handler_returns_another_model
// gcc: incompatible types when returning type 'thing_in' but 'bide_type_thing'
// clang: returning 'thing_in' (aka 'struct thing_in') from a function with incompatible result type
GET(get_thing, "/thing", thing)
{
#ifndef FIXED
    return (thing_in){.name = "x"}; // <- here
#else
    return (thing){.name = "x"};
#endif
}
#endif // CASE_handler_returns_another_model

#ifdef CASE_override_of_another_type
// gcc: provider `number` provides another type than `open_store`
// clang: provider `number` provides another type than `open_store`
PROVIDER(int, number)
{
    provide(1);
}
PROVIDER(store *, other_store)
{
    provide(NULL);
}
void set_up(bide_app *app);
void set_up(bide_app *app)
{
#ifndef FIXED
    bide_app_override(app, open_store, number); // <- here
#else
    bide_app_override(app, open_store, other_store);
    bide_app_override(app, number, number);
#endif
}
#endif // CASE_override_of_another_type

#ifdef CASE_provide_another_type
// gcc: incompatible types when assigning to type 'int' from type 'thing'
// clang: assigning to 'int' from incompatible type 'thing'
PROVIDER(int, number)
{
#ifndef FIXED
    provide((thing){.id = 1}); // <- here
#else
    provide(1);
#endif
}
GET(use, "/use", nothing, depends(int, n, number))
{
}
#endif // CASE_provide_another_type

#ifdef CASE_await_in_a_blocking_handler
// gcc: nothing
// clang: calling function 'count_things' requires holding role 'inside_a_task' exclusively
#ifndef FIXED
GET(are_there, "/any", text, blocking, depends(store *, things, open_store))
{
    return await(count_things(things)) ? "yes" : "no"; // <- here
}
#else
GET(are_there, "/any", text, depends(store *, things, open_store))
{
    return await(count_things(things)) ? "yes" : "no";
}
#endif
#endif // CASE_await_in_a_blocking_handler

#ifdef CASE_option_of_a_provider
// gcc: `status` is said of routes, not of providers
// clang: `status` is said of routes, not of providers
#ifndef FIXED
PROVIDER(int, number, status(201)) // <- here
#else
PROVIDER(int, number)
#endif
{
    provide(1);
}
#endif // CASE_option_of_a_provider

#ifdef CASE_attribute_of_a_file
// gcc: initializer element is not constant
// clang: bide__is_len
#ifndef FIXED
POST(upload, "/upload", nothing, file(picture, len(1, 2))) // <- here
#else
POST(upload, "/upload", nothing, file(picture, optional))
#endif
{
    if (!picture)
        fail(http_error(400, "no picture"));
}
#endif // CASE_attribute_of_a_file

#ifdef CASE_key_in_another_place
// gcc: bide__key_in_body
// clang: bide__key_in_body
#ifndef FIXED
GET(get_thing, "/thing", text, api_key(key, body, "key")) // <- here
#else
GET(get_thing, "/thing", text, api_key(key, header, "key"))
#endif
{
    return key;
}
#endif // CASE_key_in_another_place

#ifdef CASE_body_is_no_model
// gcc: body `count`: not a model
// clang: body `count`: not a model
#ifndef FIXED
POST(add_thing, "/things", nothing, body(i64, count)) // <- here
#else
POST(add_thing, "/things", nothing, body(thing_in, count))
#endif
{
    if (!count)
        fail(http_error(400, "no body"));
}
#endif // CASE_body_is_no_model

#ifdef CASE_model_in_a_query
// gcc: parameter `filter`: its type or an attribute is for models only
// clang: parameter `filter`: its type or an attribute is for models only
#ifndef FIXED
GET(find_thing, "/thing", nothing, query(thing_in, filter)) // <- here
#else
GET(find_thing, "/thing", nothing, query(str, filter))
#endif
{
    (void)filter;
}
#endif // CASE_model_in_a_query

#ifdef CASE_hash_in_a_query
// gcc: parameter `filter`: its type or an attribute is for models only
// clang: parameter `filter`: its type or an attribute is for models only
#ifndef FIXED
GET(find_thing, "/thing", nothing, query(hash, filter)) // <- here
#else
GET(find_thing, "/thing", nothing, query(secret, filter))
#endif
{
    (void)filter;
}
#endif // CASE_hash_in_a_query

#ifdef CASE_unknown_provider
// gcc: 'open_stor_provider' undeclared here
// clang: use of undeclared identifier 'open_stor_provider'
#ifndef FIXED
GET(get_thing, "/thing", thing, depends(store *, things, open_stor)) // <- here
#else
GET(get_thing, "/thing", thing, depends(store *, things, open_store))
#endif
{
    return (thing){.id = 1};
}
#endif // CASE_unknown_provider

#ifdef CASE_parameter_twice
// gcc: duplicate member 'id'
// clang: duplicate member 'id'
#ifndef FIXED
GET(get_thing, "/thing/{id}", thing, path(i64, id), query(i64, id)) // <- here
#else
GET(get_thing, "/thing/{id}", thing, path(i64, id))
#endif
{
    return (thing){.id = id};
}
#endif // CASE_parameter_twice

#ifdef CASE_response_is_an_enum
// gcc: route `get_shade`: its response is not a model
// clang: route `get_shade`: its response is not a model
ENUM(shade, light, dark);
MODEL(shade_out, "", (shade, shade));
#ifndef FIXED
GET(get_shade, "/shade", shade) // <- here
{
    return shade_dark;
}
#else
GET(get_shade, "/shade", shade_out)
{
    return (shade_out){.shade = shade_dark};
}
#endif
#endif // CASE_response_is_an_enum

#ifdef CASE_provide_in_a_route
// gcc: 'bide__provided' undeclared
// clang: use of undeclared identifier 'bide__provided'
GET(get_thing, "/thing", thing)
{
#ifndef FIXED
    provide((thing){.id = 1}); // <- here
#else
    return (thing){.id = 1};
#endif
}
#endif // CASE_provide_in_a_route

#ifdef CASE_value_of_a_route_that_gives_nothing
// gcc warning: 'return' with a value
// clang: void function 'touch' should not return a value
GET(touch, "/touch", nothing)
{
#ifndef FIXED
    return (thing){.id = 1}; // <- here
#else
    return;
#endif
}
#endif // CASE_value_of_a_route_that_gives_nothing

#ifdef CASE_plain_text_as_safe_html
// gcc: incompatible pointer type
// clang: incompatible pointer types
MODEL(notice, "", (html_safe, body));
GET(get_notice, "/notice", html("notice", notice), query(str, q))
{
#ifndef FIXED
    return (notice){.body = q}; // <- here
#else
    return (notice){.body.text = bide_html_escape(bide_arena_of(req), q)};
#endif
}
#endif // CASE_plain_text_as_safe_html

#ifdef CASE_safe_html_from_the_peer
// gcc: parameter `q`: its type or an attribute is for models only
// clang: parameter `q`: its type or an attribute is for models only
#ifndef FIXED
GET(get_thing, "/thing", thing, query(html_safe, q)) // <- here
#else
GET(get_thing, "/thing", thing, query(str, q))
#endif
{
    (void)q;
    return (thing){.id = 1};
}
#endif // CASE_safe_html_from_the_peer

#ifdef CASE_page_of_another_model
// gcc: incompatible types when returning type
// clang: from a function with incompatible result type
GET(show_thing, "/thing", html("thing", thing))
{
#ifndef FIXED
    return (thing_in){.name = "a"}; // <- here
#else
    return (thing){.name = "a"};
#endif
}
#endif // CASE_page_of_another_model

#ifdef CASE_url_without_its_path
// gcc: it takes a value for each path(...) of the route
// clang: it takes a value for each path(...) of the route
GET(show_item, "/items/{name}", text, path(str, name), query(i32, page))
{
    (void)page;
    return name;
}
GET(first_item, "/first", redirect)
{
#ifndef FIXED
    return (bide_redirect){303, url_for(req, show_item)}; // <- here
#else
    return (bide_redirect){303, url_for(req, show_item, "a", .page = 2)};
#endif
}
#endif // CASE_url_without_its_path

#ifdef CASE_url_with_an_unknown_query
// gcc: has no member named 'pag'; did you mean 'page'?
// clang: field designator 'pag' does not refer to any field
GET(show_item, "/items/{name}", text, path(str, name), query(i32, page))
{
    (void)page;
    return name;
}
GET(first_item, "/first", redirect)
{
    return (bide_redirect){303,
#ifndef FIXED
                           url_for(req, show_item, "a", .pag = 2)}; // <- here
#else
                           url_for(req, show_item, "a", .page = 2)};
#endif
}
#endif // CASE_url_with_an_unknown_query

#ifdef CASE_url_of_an_unknown_route
// gcc: 'show_itme__path_values' undeclared
// clang: use of undeclared identifier 'show_itme__path_values'
GET(show_item, "/items/{name}", text, path(str, name))
{
    return name;
}
GET(first_item, "/first", redirect)
{
#ifndef FIXED
    return (bide_redirect){303, url_for(req, show_itme, "a")}; // <- here
#else
    return (bide_redirect){303, url_for(req, show_item, "a")};
#endif
}
#endif // CASE_url_of_an_unknown_route

#ifdef CASE_url_with_another_type
// gcc warning: makes pointer from integer without a cast
// clang: incompatible integer to pointer conversion
GET(show_item, "/items/{name}", text, path(str, name))
{
    return name;
}
GET(first_item, "/first", redirect)
{
#ifndef FIXED
    return (bide_redirect){303, url_for(req, show_item, 7)}; // <- here
#else
    return (bide_redirect){303, url_for(req, show_item, "7")};
#endif
}
#endif // CASE_url_with_another_type

#ifdef CASE_link_with_a_header
// gcc: a LINK is made of path(...) and query(...)
// clang: a LINK is made of path(...) and query(...)
#ifndef FIXED
LINK(to_item, show_item, path(str, name), header(str, x_token)); // <- here
#else
LINK(to_item, show_item, path(str, name), query(i32, page));
#endif
#endif // CASE_link_with_a_header

#ifdef CASE_option_twice
// gcc: duplicate member 'status'
// clang: duplicate member 'status'
#ifndef FIXED
POST(add_item, "/items", nothing, status(201), status(202)) // <- here
#else
POST(add_item, "/items", nothing, status(202))
#endif
{
}
#endif // CASE_option_twice
