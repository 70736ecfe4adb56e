#ifndef EDS_SQLITE_PRIVATE_H
#define EDS_SQLITE_PRIVATE_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "drivers/sql/stmts.h"
#include "drivers/sql/store.h"

/* What the files of this driver share. */

/* How a column's declared type treats values (https://www.sqlite.org/datatype3.html, section 3.1). */
enum lite_affinity { LITE_TEXT, LITE_BLOB, LITE_NUMERIC, LITE_REAL };	/* INTEGER behaves as NUMERIC here */

struct lite_import;

struct drv {
	const struct drv_host	*host;
	char			*path;
	int64_t			 busy_timeout_ms;
	int64_t			 busy_since;
	sqlite3			*db;
	struct stat		 file;		/* the file that is open */
	struct sql_store	 store;
	struct sql_stmts	 cache;
	struct buf		 scratch;	/* texts bound to the statement at hand */
	int64_t			 schema_cookie;	/* changes when anybody changes a table */
	sqlite3_stmt		*ask_cookie, *ask_name, *ask_columns;
	struct lite_import	*import;	/* NULL: none is under way */
};

/* sqlite.c */
enum drv_result lite_result(struct drv *, int rc, struct err *, const char *doing);
enum drv_result lite_exec(struct drv *, const char *sql, struct err *, const char *doing);
enum drv_result lite_check_file(struct drv *, struct err *);	/* the one that is open is still there */
const struct sql_dialect *lite_dialect(void);

/* sqlite_ddl.c, for the backend */
const char *lite_type(const struct sql_column *, bool as_key);
enum drv_result lite_catalogue(struct drv *, struct err *);
enum drv_result lite_read_table(struct drv *, struct slice table, struct sql_reading *, struct err *);
enum drv_result lite_ddl(struct drv *, const char *sql, struct err *);
void	 lite_ddl_close(struct drv *);
enum lite_affinity lite_affinity_of(const char *type);
/* DRV_CONFIG: something else has that name. */
enum drv_result lite_table_exists(struct drv *, struct slice table, bool *exists_r, struct err *);
enum drv_result lite_column_exists(struct drv *, struct slice table, struct slice column, bool *exists_r, struct err *);

/* sqlite_write.c, for the backend */
enum drv_result lite_apply(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *,
    struct err *);
void	 lite_stmt_drop(struct sql_stmt *);
void	 lite_cache_flush(struct drv *);
enum drv_result lite_upsert(struct drv *, struct sql_row *, struct err *);

/* sqlite_import.c */
enum drv_result lite_import_begin(struct drv *, const struct drv_import *, struct err *);
enum drv_result lite_import_rows(struct drv *, size_t table, const struct drv_batch *, struct drv_outcome *);
enum drv_result lite_import_commit(struct drv *, struct err *);
enum drv_result lite_import_end(struct drv *, struct err *);
void	 lite_import_abort(struct drv *);
void	 lite_import_free(struct drv *);

#endif
