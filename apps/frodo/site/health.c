/*
 * What balancers and supervisors ask. /healthz: the process answers. /readyz: so does its database.
 */
#include "site/site.h"

GET(get_healthz, "/healthz", health, tags("operations"))
{
    return (health){.status = "ok"};
}

GET(get_readyz, "/readyz", health, tags("operations"), depends(bide_db *, db, database))
{
    with_deadline(bide_s(2)) {
        await(bide_do(db, "select 1"));
    }
    return (health){.status = "ok"};
}
