#pragma once
#include <sqlite3.h>
/* The transient destructor is a cast macro that Swift does not import. */
static inline sqlite3_destructor_type weir_sqlite_transient(void) { return SQLITE_TRANSIENT; }
