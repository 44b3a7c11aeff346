/*
 * Well-known field names: every one in any case, none else.
 */
#include "http/names.h"
#include "feed.h"

#include "base/slice.h"

TEST_PLAIN(known_names_in_any_case)
{
    for (int id = 1; id < BIDE__FIELDS; id++) {
        const char *text = bide__http_field_name((enum bide__http_field_id)id);
        char name[64];
        size_t length = strlen(text);
        require(length > 0 && length < sizeof name);
        for (int shape = 0; shape < 3; shape++) {
            for (size_t i = 0; i < length; i++) {
                char lower = bide__ascii_lower(text[i]);
                bool upper = lower >= 'a' && lower <= 'z' && (shape == 0 || (shape == 1 && i % 2));
                name[i] = upper ? (char)(lower - 0x20) : lower;
            }
            char *copy = copy_of(name, length);
            if (!check_int(bide__http_field_id_of(copy, length), id))
                fprintf(stderr, "%s\n", text);
            check_int(bide__http_field_id_of(copy, length - 1), BIDE__FIELD_UNKNOWN);
            free(copy);
        }
        for (size_t i = 0; i < length; i++) { /* another tchar at each place */
            memcpy(name, text, length);
            name[i] = '~';
            check_int(bide__http_field_id_of(name, length), BIDE__FIELD_UNKNOWN);
        }
    }
    check_str(bide__http_field_name(BIDE__FIELD_UNKNOWN), "");
    check_int(bide__http_field_id_of("", 0), BIDE__FIELD_UNKNOWN);
}

/* Names that share length, first and last byte with a known one, so that only the rest tells. */
TEST_PLAIN(names_that_choose_the_slot_of_another)
{
    static const char *const others[] = {
        "hint",          "hoot",      "a____t",     "dodge",      "dose",
        "conten",        "cannonman", "cabin-fewn", "ustedagent", "transfer_encoding",
        "content-leng-h"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check_int(bide__http_field_id_of(others[i], strlen(others[i])), BIDE__FIELD_UNKNOWN);
    for (int id = 1; id < BIDE__FIELDS; id++) { /* a known name with one more byte, front or back */
        char name[64];
        int length =
            snprintf(name, sizeof name, "x%s", bide__http_field_name((enum bide__http_field_id)id));
        check_int(bide__http_field_id_of(name, (size_t)length), BIDE__FIELD_UNKNOWN);
        length =
            snprintf(name, sizeof name, "%sx", bide__http_field_name((enum bide__http_field_id)id));
        check_int(bide__http_field_id_of(name, (size_t)length), BIDE__FIELD_UNKNOWN);
    }
    char longest[200];
    memset(longest, 'a', sizeof longest);
    for (size_t length = 0; length < sizeof longest; length++)
        check_int(bide__http_field_id_of(longest, length), BIDE__FIELD_UNKNOWN);
}
