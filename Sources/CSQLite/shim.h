#pragma once
#include <sqlite3.h>
/* The transient destructor is a cast macro that Swift does not import. */
static inline sqlite3_destructor_type weir_sqlite_transient(void) { return SQLITE_TRANSIENT; }
/* Variadic. Must come before SQLite's first use in the process; afterwards it is refused and changes nothing. */
static inline int weir_sqlite_skip_memory_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
