/* Misdeclared models, and misuse of what they declare. */
#include <bide/bide.h>
#include <bide/json.h>

ENUM(shade, light, dark);
MODEL(member, "members", (i64, id, key, generated), (str, email, email), (i32, age, optional), (hash, password), (str, note, writeonly));
PARTIAL(member_changes, member, email, age);
MODEL(login, "", (str, email), (plain_pw, password));
const char *member_url(const bide_row *row);
int member_score(const bide_row *row);
bide_hash check_password(const login *form);
const char *use(member *m, member_changes *c);

#ifdef CASE_attribute_of_another_type
// gcc: field `name`: there is no attribute `range(0, 3)` for the type `str`
// clang: field `name`: there is no attribute `range(0, 3)` for the type `str`
#ifndef FIXED
MODEL(item, "", (i64, id), (str, name, range(0, 3))); // <- here
#else
MODEL(item, "", (i64, id), (str, name, len(0, 3)));
#endif
#endif // CASE_attribute_of_another_type

#ifdef CASE_misspelt_attribute
// gcc: field `name`: there is no attribute `lenn(0, 3)` for the type `str`
// clang: field `name`: there is no attribute `lenn(0, 3)` for the type `str`
#ifndef FIXED
MODEL(item, "", (i64, id), (str, name, lenn(0, 3))); // <- here
#else
MODEL(item, "", (i64, id), (str, name, len(0, 3)));
#endif
#endif // CASE_misspelt_attribute

#ifdef CASE_misspelt_flag
// gcc: field `name`: there is no attribute `uniqe` for the type `str`
// clang: field `name`: there is no attribute `uniqe` for the type `str`
#ifndef FIXED
MODEL(item, "", (i64, id), (str, name, uniqe)); // <- here
#else
MODEL(item, "", (i64, id), (str, name, unique));
#endif
#endif // CASE_misspelt_flag

#ifdef CASE_unique_list
// gcc: field `tags`: there is no attribute `unique` for the type `list(str)`
// clang: field `tags`: there is no attribute `unique` for the type `list(str)`
#ifndef FIXED
MODEL(item, "", (list(str), tags, unique)); // <- here
#else
MODEL(item, "", (list(str), tags, len(0, 5)));
#endif
#endif // CASE_unique_list

#ifdef CASE_misspelt_type
// gcc: unknown type name 'bide_type_sttr'
// clang: unknown type name 'bide_type_sttr'
#ifndef FIXED
MODEL(item, "", (i64, id), (sttr, name)); // <- here
#else
MODEL(item, "", (i64, id), (str, name));
#endif
#endif // CASE_misspelt_type

#ifdef CASE_list_of_hashes
// gcc: field 'kept' has incomplete type
// clang: field has incomplete type 'struct bide_list_hash'
#ifndef FIXED
MODEL(item, "", (list(hash), kept)); // <- here
#else
MODEL(item, "", (list(str), kept));
#endif
#endif // CASE_list_of_hashes

#ifdef CASE_field_twice
// gcc: duplicate member 'name'
// clang: duplicate member 'name'
#ifndef FIXED
MODEL(item, "", (str, name), (i64, id), (str, name)); // <- here
#else
MODEL(item, "", (str, name), (i64, id), (str, title));
#endif
#endif // CASE_field_twice

#ifdef CASE_secret_in_a_view
// gcc: view `member_out`: the field `password` of `member` never leaves the server
// clang: view `member_out`: the field `password` of `member` never leaves the server
#ifndef FIXED
VIEW(member_out, member, id, password); // <- here
#else
VIEW(member_out, member, id, email);
#endif
#endif // CASE_secret_in_a_view

#ifdef CASE_writeonly_in_a_view
// gcc: view `member_out`: the field `note` of `member` never leaves the server
// clang: view `member_out`: the field `note` of `member` never leaves the server
#ifndef FIXED
VIEW(member_out, member, id, note); // <- here
#else
VIEW(member_out, member, id, age);
#endif
#endif // CASE_writeonly_in_a_view

#ifdef CASE_misspelt_field_of_a_view
// gcc: 'member' has no member named 'emial'
// clang: no member named 'emial' in 'struct member'
#ifndef FIXED
VIEW(member_out, member, id, emial); // <- here
#else
VIEW(member_out, member, id, email);
#endif
#endif // CASE_misspelt_field_of_a_view

#ifdef CASE_key_in_a_partial
// gcc: partial `other_changes`: the field `id` of `member` cannot be changed
// clang: partial `other_changes`: the field `id` of `member` cannot be changed
#ifndef FIXED
PARTIAL(other_changes, member, id, email); // <- here
#else
PARTIAL(other_changes, member, email);
#endif
#endif // CASE_key_in_a_partial

#ifdef CASE_computed_by_a_function_of_another_type
// gcc: '_Generic' selector of type 'int (*)(const bide_row *)' is not compatible with any association
// clang: controlling expression type 'int (*)(const bide_row *)'
#ifndef FIXED
MODEL(item, "", (computed(str), url, member_score)); // <- here
#else
MODEL(item, "", (computed(str), url, member_url));
#endif
#endif // CASE_computed_by_a_function_of_another_type

#ifdef CASE_attribute_of_a_computed_field
// gcc: field `url`: there is no attribute `unique` for a computed field
// clang: field `url`: there is no attribute `unique` for a computed field
#ifndef FIXED
MODEL(item, "", (computed(str), url, member_url, unique)); // <- here
#else
MODEL(item, "", (computed(str), url, member_url, alias("href")));
#endif
#endif // CASE_attribute_of_a_computed_field

#ifdef CASE_reading_a_computed_field
// gcc: incompatible types when returning type 'struct computed_field_has_no_value'
// clang: returning 'const struct computed_field_has_no_value'
MODEL(item, "", (computed(str), url, member_url));
const char *url_of(const item *i);
const char *url_of(const item *i)
{
#ifndef FIXED
    return i->url; // <- here
#else
    return member_url(&(bide_row){item_model(), i, NULL});
#endif
}
#endif // CASE_reading_a_computed_field

#ifdef CASE_plain_password_as_a_hash
// gcc: incompatible types when returning type 'bide_type_plain_pw'
// clang: returning 'const bide_type_plain_pw' (aka 'const struct bide_plain_pw')
bide_hash check_password(const login *form)
{
#ifndef FIXED
    return form->password; // <- here
#else
    return (bide_hash){form->password.text ? "hashed" : ""};
#endif
}
#endif // CASE_plain_password_as_a_hash

#ifdef CASE_misspelt_presence
// gcc: 'struct bide__index_member' has no member named 'agee'
// clang: no member named 'agee' in 'bide__index_member'
const char *use(member *m, member_changes *c)
{
#ifndef FIXED
    return bide_has(m, agee) ? "" : c->email; // <- here
#else
    return bide_has(m, age) ? "" : c->email;
#endif
}
#endif // CASE_misspelt_presence

#ifdef CASE_null_of_a_whole_model
// gcc: 'member' has no member named 'bide_null'
// clang: no member named 'bide_null' in 'struct member'
const char *use(member *m, member_changes *c)
{
#ifndef FIXED
    return bide_is_null(m, age) ? "" : c->email; // <- here
#else
    return bide_is_null(c, age) ? "" : m->email;
#endif
}
#endif // CASE_null_of_a_whole_model

#ifdef CASE_changes_applied_to_another_model
// gcc: passing argument 2 of 'member_changes_apply' from incompatible pointer type
// clang: incompatible pointer types passing 'member_changes *'
const char *use(member *m, member_changes *c)
{
#ifndef FIXED
    return member_changes_apply(c, c) ? m->email : ""; // <- here
#else
    return member_changes_apply(c, m) ? m->email : "";
#endif
}
#endif // CASE_changes_applied_to_another_model

#ifdef CASE_secret_attribute_in_a_view
// gcc: view `account_out`: the field `recovery` of `account` never leaves the server
// clang: view `account_out`: the field `recovery` of `account` never leaves the server
MODEL(account, "", (i64, id), (str, recovery, secret));
#ifndef FIXED
VIEW(account_out, account, id, recovery); // <- here
#else
VIEW(account_out, account, id);
#endif
#endif // CASE_secret_attribute_in_a_view

#ifdef CASE_computed_field_in_a_partial
// gcc: partial `item_changes`: the field `url` of `item` cannot be changed
// clang: partial `item_changes`: the field `url` of `item` cannot be changed
MODEL(item, "", (i64, id), (computed(str), url, member_url));
#ifndef FIXED
PARTIAL(item_changes, item, id, url); // <- here
#else
PARTIAL(item_changes, item, id);
#endif
#endif // CASE_computed_field_in_a_partial

#ifdef CASE_field_of_a_view_twice
// gcc: duplicate member 'id'
// clang: duplicate member 'id'
#ifndef FIXED
VIEW(member_out, member, id, email, id); // <- here
#else
VIEW(member_out, member, id, email);
#endif
#endif // CASE_field_of_a_view_twice

#ifdef CASE_value_of_an_enum_twice
// gcc: redeclaration of enumerator 'tone_red'
// clang: redefinition of enumerator 'tone_red'
#ifndef FIXED
ENUM(tone, red, green, red); // <- here
#else
ENUM(tone, red, green, blue);
#endif
#endif // CASE_value_of_an_enum_twice

#ifdef CASE_unknown_model_inside
// gcc: unknown type name 'bide_type_mmber'
// clang: unknown type name 'bide_type_mmber'
#ifndef FIXED
MODEL(item, "", (obj(mmber), owner)); // <- here
#else
MODEL(item, "", (obj(member), owner));
#endif
#endif // CASE_unknown_model_inside

#ifdef CASE_list_of_lists
// gcc: 'item' has no member named 'tags'
// clang: field has incomplete type 'struct bide_list_list'
MODEL(words, "", (list(str), items));
#ifndef FIXED
MODEL(item, "", (list(list(str)), tags)); // <- here
#else
MODEL(item, "", (list(words), tags));
#endif
#endif // CASE_list_of_lists

#ifdef CASE_computed_by_nobody
// gcc: 'nobody' undeclared here
// clang: use of undeclared identifier 'nobody'
#ifndef FIXED
MODEL(item, "", (computed(str), url, nobody)); // <- here
#else
MODEL(item, "", (computed(str), url, member_url));
#endif
#endif // CASE_computed_by_nobody

#ifdef CASE_more_than_64_fields
// gcc: BIDE__FE_more_than_64_fields
// clang: redefinition of 'BIDE__FE_more_than_64_fields'
#define EIGHT(n) (i32, a##n), (i32, b##n), (i32, c##n), (i32, d##n), (i32, e##n), (i32, f##n), (i32, g##n), (i32, h##n)
#define SIXTY_FOUR EIGHT(1), EIGHT(2), EIGHT(3), EIGHT(4), EIGHT(5), EIGHT(6), EIGHT(7), EIGHT(8)
#ifndef FIXED
MODEL(item, "", SIXTY_FOUR, (i32, one_more)); // <- here
#else
MODEL(item, "", SIXTY_FOUR);
#endif
#endif // CASE_more_than_64_fields
