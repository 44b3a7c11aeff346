"""B2: exclude_unset, a KeyError without a password, a misspelt key with one."""


def update(user, obj_in):
    update_data = obj_in
    if update_data["password"]:
        update_data["hashed_password"] = "toy$" + update_data["password"][::-1]
        del update_data["paasword"]
    user.update(update_data)
    return user


for changes in ({"name": "Anna"}, {"password": "new password"}):
    ann = {"name": "Ann", "hashed_password": "toy$drowssap dlo"}
    print("changes", changes)
    try:
        print("  ", update(ann, changes))
    except KeyError as error:
        print("  KeyError:", error)
    print("  the caller has now", changes)
