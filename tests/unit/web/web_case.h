/*
 * The small application that the tests of this folder talk to.
 */
#ifndef TESTS_UNIT_WEB_WEB_CASE_H
#define TESTS_UNIT_WEB_WEB_CASE_H

#include <bide/bide.h>
#include <bide/log.h>
#include <bide/test.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>

MODEL(user, "users", (i64, id, key, generated), (str, name, len(1, 20)),
      (i32, age, range(0, 150), optional), (hash, password));
VIEW(user_out, user, id, name, age);
MODEL(user_in, "", (str, name, len(1, 20)), (i32, age, range(0, 150), optional));

#endif
