/*
 * What the pages of user administration share: pages.c, role_pages.c.
 */
#ifndef FRODO_USERS_FORMS_H
#define FRODO_USERS_FORMS_H

#include "users/users.h"

#include <stdlib.h>

/* The menu above the lists (menu.html): which of them is shown. */
ENUM(admin_list, users, roles, departments);

/* One of those to choose from in a form. */
MODEL(choice, "", (i64, id), (str, name), (bool, selected));

/* For a form that is shown again: its status, and what stands above it, or NULL. What is taken
   becomes a problem of its field; what nobody can do something about is raised. */
static inline const char *form_refused(bide_request *req, bide_error *error)
{
    bool is_rule = error && (error->code == 403 || error->code == 409);
    bide_set_status(req, is_rule ? error->code : 422);
    if (!error)
        return NULL;
    if (error->code == BIDE_CONFLICT && error->field[0]) {
        bide_add_problem(req, error->field, "taken", "This is taken already");
        return NULL;
    }
    if (!is_rule && error->code != 422)
        fail(error);
    return error->message;
}

/* The id that was typed into a field; 0 for none. */
static inline int64_t form_id(bide_request *req, const char *field)
{
    const char *typed = bide_form_value(req, field);
    return typed ? strtoll(typed, NULL, 10) : 0;
}

#endif
