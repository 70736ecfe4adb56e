#ifndef EDS_POSTGRES_PRIVATE_H
#define EDS_POSTGRES_PRIVATE_H

#include <libpq-fe.h>

#include "drivers/sql/import.h"
#include "drivers/sql/upsert.h"
#include "ipc/base/clock.h"

/* What the files of this driver share. */

/* --- postgres_url.c: pure --- */

struct pg_pair {
	char	*name, *value;
};

struct pg_url {
	struct pg_pair	*params;	/* libpq's connection parameters           */
	size_t		 nparams;
	struct pg_pair	*settings;	/* of the session, set once it is connected */
	size_t		 nsettings;
	char		*where;		/* host:port/database, for messages        */
};

int	 pg_url_parse(struct pg_url *, const char *text, struct err *) MUST_CHECK;	/* ERR_CONFIG */
void	 pg_url_free(struct pg_url *);
const char *pg_url_param(const struct pg_url *, const char *name);		/* NULL: not given */

/* --- the instance --- */

struct pg_params;

/* How PostgreSQL spells a type in a cast, by its number. */
struct pg_type {
	Oid	 oid;
	char	*name;
};

/* What was sent of the pipeline at hand, in order. */
struct pg_sent {
	const struct sql_group	*group;		/* NULL: about no table */
	struct sql_stmt		*prepares;	/* which is ready for use when this went well */
};

struct drv {
	const struct drv_host	*host;
	const struct log	*log;
	struct pg_url		 url;
	PGconn			*conn;		/* NULL: not connected */
	bool			 opened;	/* it has been connected before */
	bool			 cockroach;
	bool			 patient;	/* the statement at hand may take hours */
	bool			 elsewhere;	/* this server is the wrong one: connect anew */
	bool			 said_finer;	/* that times are stored to the microsecond */
	bool			 unnamed;	/* a pooler loses prepared statements: none get a name */
	bool			 after;		/* update_strategy = after */
	bool			 in_file;	/* the transaction of an import's file is open: what is within it is undone by savepoint */
	bool			 file_lost;	/* ... was, and what was loaded of the file is gone */
	bool			 keyless;	/* the statement at hand is for a table without a key, see postgres_load.c */
	struct sql_store	 store;
	struct sql_stmts	 cache;
	uint64_t		 named;		/* statements that were given a name at this server */
	struct pg_type		*types;
	size_t			 ntypes;
	struct pg_sent		*sent;
	size_t			 nsent, sent_cap;
	struct arena	 arena;		/* for the length of one pg_apply() */
	struct buf		 sql;
	struct buf		 scratch;	/* the text of one value */
	struct pg_params	*params;	/* of the statement at hand */
	char			 fence[24];	/* see postgres_write.c */
	struct sql_import	*import;
};

/* --- postgres_conn.c: a connection whose every wait ends when the worker is to stop --- */

enum drv_result	 pg_connect(struct drv *, struct err *);
void	 pg_disconnect(struct drv *);
/* Connects when there is no connection, or one that is broken; *anew_r tells. */
enum drv_result	 pg_ensure(struct drv *, struct err *);
bool	 pg_flush_all(struct drv *, struct err *);		/* false: the connection is gone */
/* The next result, NULL at the end of those of one statement.  *lost_r: the connection is gone. */
PGresult *pg_result(struct drv *, bool *lost_r, struct err *);
/* One statement with its parameters as text.  *res_r is the caller's, on success only. */
enum drv_result	 pg_query(struct drv *, const char *sql, int n, const char *const *values, PGresult **res_r,
    const char *doing, struct err *);
enum drv_result	 pg_exec(struct drv *, const char *sql, const char *doing, struct err *);

/* --- postgres_error.c --- */

/* What follows from an error of the server; the text never holds a value of a row. */
enum drv_result	 pg_fail(struct drv *, const PGresult *, struct sql_blame *, const char *doing, struct err *);
/* The connection could not be made. */
enum drv_result	 pg_fail_connect(struct drv *, PGconn *, struct err *);
/* A class of SQLSTATE, such as "22". */
bool	 pg_state_is(const PGresult *, const char *prefix);

/* --- postgres_ddl.c: the backend's catalogue --- */

const char *pg_column_type(const struct sql_column *, bool as_key);
enum drv_result	 pg_read_table(struct drv *, struct slice table, struct sql_reading *, struct err *);
enum drv_result	 pg_ddl(struct drv *, const char *sql, struct err *);
const char *pg_type_name(const struct drv *, uint32_t oid);
enum drv_result	 pg_check_privileges(struct drv *, struct err *);
void	 pg_types_free(struct drv *);

/* --- postgres_value.c: pure --- */

#define PG_BOOL		16
#define PG_INT8		20
#define PG_INT2		21
#define PG_INT4		23
#define PG_TEXT		25
#define PG_JSON		114
#define PG_FLOAT4	700
#define PG_FLOAT8	701
#define PG_BPCHAR	1042
#define PG_VARCHAR	1043
#define PG_TIMESTAMPTZ	1184
#define PG_NUMERIC	1700
#define PG_JSONB	3802

enum pg_fit {
	PG_FITS,
	PG_AS_TEXT,		/* not in the type's own form; the server is to read its text */
	PG_FINER,		/* fits, less the digits of a time beyond microseconds */
	PG_UNFIT,		/* the column cannot hold it; *why_r says what it holds */
	PG_NOMEM,
};

/* Types whose own form is sent instead of text. */
bool	 pg_is_native(uint32_t oid);

/* Appends one element of a binary array: its length and its bytes, in the type's own form or as text. */
enum pg_fit pg_value_native(struct buf *, uint32_t oid, const struct json_val *, struct buf *scratch, const char **why_r);
enum pg_fit pg_value_text(struct buf *, const struct sql_column *, const struct sql_held *, const struct json_val *,
    struct buf *scratch, const char **why_r);
void	 pg_add_u32(struct buf *, uint32_t);

/* --- postgres_stmt.c: pure --- */

/* `mask`: the columns present, then as many words again for those in native form. */
int	 pg_stmt_upsert(struct drv *, struct buf *, const struct sql_table *, const uint64_t *mask, struct err *) MUST_CHECK;
int	 pg_stmt_delete(struct drv *, struct buf *, const struct sql_table *, const uint64_t *native, struct err *) MUST_CHECK;

/* --- postgres_params.c --- */

/* The arrays for `n` rows, of the columns in `mask`; sets the second half of it to those in native form. */
enum drv_result	 pg_params_fill(struct drv *, const struct sql_table *, struct sql_row *const *, size_t n, size_t ncols,
    uint64_t *mask, struct sql_blame *, struct err *);
int	 pg_params_send(struct drv *, const char *name, const char *sql);	/* as libpq's PQsend*: 1 is fine */
void	 pg_params_free(struct drv *);
void	 pg_say_finer(struct drv *, const struct sql_table *, size_t column);	/* once */

/* --- postgres_write.c --- */

void	 pg_forget(struct drv *);		/* all prepared statements */
enum drv_result	 pg_apply(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *, struct err *);

/* The errors that go without saying: DRV_RETRY. */
enum drv_result	 pg_gone(struct drv *, struct err *);
enum drv_result	 pg_nomem(struct err *);

/* Ends what pg_apply() and pg_load() began, should it be open still; `r` is how it went. */
enum drv_result	 pg_end_transaction(struct drv *, enum drv_result r);

/* --- postgres_load.c --- */

/* pg_apply() for the tables of an import. */
enum drv_result	 pg_load(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *, struct err *);
enum drv_result	 pg_load_commit(struct drv *, struct err *);
void	 pg_load_undo(struct drv *);		/* what was loaded since is gone */

/* --- postgres.c --- */

extern const struct sql_backend	pg_load_backend;

/* --- postgres_import.c --- */

enum drv_result	 pg_import_begin(struct drv *, const struct drv_import *, struct err *);
enum drv_result	 pg_import_rows(struct drv *, size_t table, const struct drv_batch *, struct drv_outcome *);
enum drv_result	 pg_import_commit(struct drv *, struct err *);
enum drv_result	 pg_import_end(struct drv *, struct err *);
void	 pg_import_abort(struct drv *);

#endif
