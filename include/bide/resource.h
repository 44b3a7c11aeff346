/*
 * resource.h: scopes of one's own: open, use, close on every way out.
 *
 *     async(conn_ptr) conn_open(const char *url);
 *     async(void) conn_close(conn_ptr conn, bide_error *error);
 *     RESOURCE(connection, conn_ptr, conn_open, conn_close)
 *
 *     with(connection, conn, "db://local") {
 *         await(conn_query(conn, "..."));
 *     }
 *
 * The close function sees the error (or cancel) that leaves the block, or NULL on a normal way out,
 * and may await: on the normal way it is ordinary code and may fail; while an error unwinds it runs
 * shielded for up to BIDE_CAP_CLEANUP_MS and its own error is attached to the one in flight.
 *
 * layer: core
 */
#ifndef BIDE_RESOURCE_H
#define BIDE_RESOURCE_H

#include <bide/error.h>

/*
 * RESOURCE(name, T, open, close): makes `with(name, ...)`. T is an AWAITABLE identifier; `open` is
 * an async(T) function of up to 7 parameters, `close` is `async(void) close(T value, bide_error
 * *error)`. At file scope, after both prototypes. No semicolon.
 */
#define RESOURCE(name, T, open, close) BIDE__RESOURCE(name, bide__value_##T, open, close)

/* with(name, variable, arguments of open...) { ... }. Opening and closing may suspend; an open
   that fails is not closed. */
#define bide_with(name, ...) BIDE__WITH_RESOURCE(__COUNTER__, name, __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define with(name, ...) BIDE__WITH_RESOURCE(__COUNTER__, name, __VA_ARGS__)
#endif

/*
 * The end of a scope of the library or of a RESOURCE: runs `thunk(args)` by the rules above. `was`
 * is the error that was in flight when the scope was entered.
 */
void bide__cleanup(bide_error *was, const struct bide_site *at, void (*thunk)(void *), void *args);

/* clang-format off */
#define BIDE__RESOURCE(name, value_type, open, close_) \
    typedef value_type name##__value; \
    struct name##__resource { \
        value_type value; \
        bide_error *was; \
        const struct bide_site *at; \
    }; \
    __attribute__((__unused__)) static inline __typeof__(&open) name##__open(void) \
    { \
        return &open; \
    } \
    __attribute__((__unused__)) static inline void name##__close(void *resource_) BIDE__UNCHECKED \
    { \
        struct name##__resource *r_ = resource_; \
        bide_error *error_ = bide_error_current(); \
        (void)close_(r_->value, error_ != r_->was ? error_ : NULL).await; \
    } \
    __attribute__((__unused__)) static inline void name##__leave(struct name##__resource *r_) \
    { \
        bide__cleanup(r_->was, r_->at, name##__close, r_); \
    }
/* clang-format on */

#define BIDE__WITH_RESOURCE(n, name, ...)                                                          \
    BIDE__CAT(BIDE__WITH_RESOURCE_, BIDE__COUNT(__VA_ARGS__))(n, name, __VA_ARGS__)
#define BIDE__WITH_RESOURCE_1(n, name, variable)                                                   \
    BIDE__WITH_RESOURCE2(n, name, variable, #name, name##__open()())
#define BIDE__WITH_RESOURCE_N(n, name, variable, ...)                                              \
    BIDE__WITH_RESOURCE2(n, name, variable, #name, name##__open()(__VA_ARGS__))
#define BIDE__WITH_RESOURCE_2 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_3 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_4 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_5 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_6 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_7 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE_8 BIDE__WITH_RESOURCE_N
#define BIDE__WITH_RESOURCE2(n, name, variable, text, call)                                        \
    if (0) {                                                                                       \
        bide__left_##n:;                                                                           \
    } else                                                                                         \
        for (struct name##__resource bide__resource_##n __attribute__((__cleanup__(                \
                 name##__leave))) = {BIDE__AWAIT(__COUNTER__, "with(" text ")", call),             \
                                     bide__current->unwinding, BIDE__SITE("with(" text ")")};      \
             ; bide_break_in_with())                                                               \
            for (name##__value variable __attribute__((__unused__)) = bide__resource_##n.value;;   \
                 bide_break_in_with())                                                             \
                for (int bide__once_##n = 0;; bide__once_##n = 1)                                  \
                    if (bide__once_##n) {                                                          \
                        goto bide__left_##n;                                                       \
                    } else

#endif
