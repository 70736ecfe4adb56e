/* Rows of one shape: their values made and bound, a run at a time, by arrays or in statements of several rows. */

#include "drivers/mysql/mysql_run.h"
#include "drivers/sql/row.h"

#define RUN_ROWS	512u		/* of one execution with arrays */
#define TEXT_ROWS	64u		/* of one statement without arrays */
#define MAX_PARAMETERS	60000u		/* the protocol counts to 65535 */
#define VALUE_OVERHEAD	10		/* bytes around each value, at most */

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a batch");
	return DRV_RETRY;
}

/* --- execution --- */

/*
 * With strict mode some losses are still no more than a note, such as blanks at the end of a text that is
 * too long.  They count as a refusal.
 */
static bool
is_loss(unsigned code)
{
	return code == 1264 || code == 1265 || code == 1292 || code == 1366 || code == 1406;
}

static enum drv_result
check_warnings(struct my_write *w)
{
	struct drv	*d = w->d;
	enum drv_result	 r;
	MYSQL_RES	*res;
	MYSQL_ROW	 row;
	uint64_t	 code;

	if (mysql_warning_count(d->db) == 0)
		return DRV_STORED;
	if ((r = my_exec(d, "SHOW WARNINGS", "asking for warnings", w->err)) != DRV_STORED)
		return r;
	if ((res = mysql_store_result(d->db)) == NULL)
		return my_result(d, my_fault(d), "asking for warnings", w->blame, w->err);
	while (r == DRV_STORED && (row = mysql_fetch_row(res)) != NULL)
		if (slice_u64(slice_of(row[1]), &code) && is_loss((unsigned)code))
			r = my_result(d, (struct my_fault){ (unsigned)code, "22000", row[2] }, w->shape.table->name.p, w->blame,
			    w->err);
	mysql_free_result(res);
	return r;
}

static enum drv_result
execute(struct my_write *w, MYSQL_STMT *stmt, MYSQL_BIND *binds, unsigned rows)
{
	struct my_fault	 f;

	if (mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &rows) == 0 && mysql_stmt_bind_param(stmt, binds) == 0 &&
	    mysql_stmt_execute(stmt) == 0)
		return check_warnings(w);
	f = (struct my_fault){ mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt) };
	return my_result(w->d, f, w->shape.table->name.p, w->blame, w->err);
}

/* --- values --- */

static struct my_type
type_at(const struct sql_table *t, size_t at)
{
	return my_type_unpack(t->held[at].type, t->held[at].size);
}

/* A new row lacks a column that it must have. */
static struct json_val
default_for(const struct sql_table *t, size_t at)
{
	static const char	 epoch[] = "\"1970-01-01T00:00:01Z\"";	/* the first that a TIMESTAMP holds */

	if (type_at(t, at).class == MY_TIME)
		return (struct json_val){ JV_STRING, false, { epoch, sizeof(epoch) - 1 } };
	return sql_row_default(t->cols[at].kind);
}

/*
 * Fractions of a second that a column has no room for are left out, and that is said: for each table
 * with less than microseconds, else once.
 */
static void
tell_finer(struct drv *d, const struct sql_table *t, size_t at)
{
	bool		 coarse = type_at(t, at).digits < 6;

	if (my_told(d, 't', coarse ? t->name : SLICE("")))
		return;
	log_warn(d->log, "times such as table %s has in column %s are finer than the column, the rest of the fraction is left "
	    "out%s", t->name.p, t->cols[at].name.p, coarse ? "; ALTER TABLE ... MODIFY ... DATETIME(6) keeps microseconds" : "");
}

static int
make_value(struct my_write *w, const struct sql_row *row, size_t at, struct my_value *out, bool *absent)
{
	const struct sql_table	*t = row->table;
	struct json_val		 v = row->v[at];

	*absent = v.type == JV_ABSENT && !t->held[at].demands;
	if (*absent) {
		*out = (struct my_value){ .null = true, .text = SLICE("") };
		return 0;
	}
	if (v.type == JV_ABSENT)
		v = default_for(t, at);
	if (my_value_make(&w->d->making, &t->cols[at], type_at(t, at), &v, out, w->err) != 0)
		return -1;
	if (out->finer)
		tell_finer(w->d, t, at);
	return 0;
}

/* The values of one row; *bytes_r is what it takes on the wire, or somewhat more. */
static enum drv_result
make_row(struct my_write *w, struct sql_row *row, size_t at, size_t *bytes_r)
{
	size_t	 bytes = 0;

	for (size_t c = 0; c < w->ncols; c++) {
		struct my_value *v = &w->values[at * w->ncols + c];

		if (make_value(w, row, w->cols[c], v, &w->absent[at * w->ncols + c]) != 0) {
			if (w->err->code == ERR_NOMEM)
				return DRV_RETRY;
			/* Somebody may have widened the column since it was read. */
			w->blame->row = row;
			w->blame->stale = true;
			return DRV_REJECT;
		}
		bytes += v->text.n + VALUE_OVERHEAD;
	}
	*bytes_r = bytes;
	return DRV_STORED;
}

/* --- a run of rows by arrays --- */

static void *
get(struct my_write *w, size_t n, size_t size)
{
	return arena_get(&w->d->making.arena, n * size);
}

static bool
bind_ints(struct my_write *w, MYSQL_BIND *b, size_t c, size_t n)
{
	long long	*v = get(w, n, sizeof(*v));

	if (v == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		v[i] = w->values[i * w->ncols + c].i;
	b->buffer_type = MYSQL_TYPE_LONGLONG;
	b->is_unsigned = (type_at(w->shape.table, w->cols[c]).flags & MY_UNSIGNED) != 0;
	b->buffer = v;
	return true;
}

static bool
bind_texts(struct my_write *w, MYSQL_BIND *b, size_t c, size_t n)
{
	const char	**v = get(w, n, sizeof(*v));
	unsigned long	 *lengths = get(w, n, sizeof(*lengths));

	if (v == NULL || lengths == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		v[i] = w->values[i * w->ncols + c].text.p;
		lengths[i] = w->values[i * w->ncols + c].text.n;
	}
	b->buffer_type = MYSQL_TYPE_STRING;
	b->buffer = v;
	b->length = lengths;
	return true;
}

static bool
bind_column(struct my_write *w, MYSQL_BIND *b, size_t c, size_t n)
{
	char	*indicator = get(w, n, 1);

	if (indicator == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool null = w->values[i * w->ncols + c].null;

		indicator[i] = w->absent[i * w->ncols + c] ? STMT_INDICATOR_DEFAULT : null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
	}
	b->u.indicator = indicator;
	if (type_at(w->shape.table, w->cols[c]).class == MY_INT)
		return bind_ints(w, b, c, n);
	return bind_texts(w, b, c, n);
}

/* Which rows have the column. */
static bool
bind_guard(struct my_write *w, MYSQL_BIND *b, size_t column, struct sql_row **rows, size_t n)
{
	signed char	*has = get(w, n, 1);

	if (has == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		has[i] = rows[i]->v[column].type != JV_ABSENT;
	b->buffer_type = MYSQL_TYPE_TINY;
	b->buffer = has;
	return true;
}

/* Assignments stand in the order of the columns, but updatedDate comes last when it is compared. */
static size_t
guard_order(const struct my_shape *s, uint32_t *order)
{
	const struct sql_table	*t = s->table;
	size_t			 n = 0, last = SQL_NO_COLUMN;

	for (size_t i = t->nkeys; i < t->ncols; i++)
		if (!my_mask_has(&s->guard, i))
			continue;
		else if (s->after && slice_is(t->cols[i].name, "updatedDate"))
			last = i;
		else
			order[n++] = (uint32_t)i;
	if (last != SQL_NO_COLUMN)
		order[n++] = (uint32_t)last;
	return n;
}

static enum drv_result
run_arrays(struct my_write *w, MYSQL_STMT *stmt, struct sql_row **rows, size_t n)
{
	uint32_t	*order = get(w, w->shape.table->ncols, sizeof(*order));
	MYSQL_BIND	*binds = get(w, w->ncols + w->shape.table->ncols, sizeof(*binds));
	size_t		 guards;
	bool		 ok = order != NULL && binds != NULL;

	if (!ok)
		return nomem(w->err);
	memset(binds, 0, (w->ncols + w->shape.table->ncols) * sizeof(*binds));
	for (size_t c = 0; c < w->ncols && ok; c++)
		ok = bind_column(w, &binds[c], c, n);
	guards = guard_order(&w->shape, order);
	for (size_t g = 0; g < guards && ok; g++)
		ok = bind_guard(w, &binds[w->ncols + g], order[g], rows, n);
	return ok ? execute(w, stmt, binds, (unsigned)n) : nomem(w->err);
}

/* --- a run of rows in one statement --- */

static enum drv_result
run_text(struct my_write *w, MYSQL_STMT *stmt, size_t n)
{
	MYSQL_BIND	*binds = get(w, n * w->ncols, sizeof(*binds));

	if (binds == NULL)
		return nomem(w->err);
	memset(binds, 0, n * w->ncols * sizeof(*binds));
	for (size_t i = 0; i < n * w->ncols; i++) {
		struct my_value	*v = &w->values[i];
		struct my_type	 t = type_at(w->shape.table, w->cols[i % w->ncols]);

		if (v->null) {
			binds[i].buffer_type = MYSQL_TYPE_NULL;
		} else if (t.class == MY_INT) {
			binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
			binds[i].is_unsigned = (t.flags & MY_UNSIGNED) != 0;
			binds[i].buffer = &v->i;
		} else {
			binds[i].buffer_type = MYSQL_TYPE_STRING;
			binds[i].buffer = (void *)(uintptr_t)v->text.p;		/* it is only read */
			binds[i].buffer_length = v->text.n;
		}
	}
	return execute(w, stmt, binds, 0);
}

/* --- runs --- */

/* How many of `left` rows make the next run: of arrays any number, else a power of four. */
static size_t
run_size(const struct my_write *w, size_t left)
{
	size_t	 n = TEXT_ROWS;

	if (w->d->bulk)
		return left < RUN_ROWS ? left : RUN_ROWS;
	while (n > 1 && (n > left || n * w->ncols > MAX_PARAMETERS))
		n /= 4;
	return n;
}

static bool
is_too_large(const struct my_write *w, size_t bytes)
{
	return bytes > w->d->packet;
}

/* The values of the rows from the first on, as many as fit a packet.  *n_r: in how many there are, out how many were made. */
static enum drv_result
make_run(struct my_write *w, struct sql_row **rows, size_t *n_r)
{
	size_t		 bytes, total = 0, n = 0;
	enum drv_result	 r = DRV_STORED;

	arena_reset(&w->d->making.arena);
	w->values = get(w, *n_r * w->ncols, sizeof(*w->values));
	w->absent = get(w, *n_r * w->ncols, sizeof(*w->absent));
	if (w->values == NULL || w->absent == NULL)
		return nomem(w->err);
	for (; n < *n_r && r == DRV_STORED; n++) {
		if ((r = make_row(w, rows[n], n, &bytes)) != DRV_STORED)
			return r;
		total += bytes;
		if (n > 0 && is_too_large(w, total))
			break;		/* this one begins the next run */
	}
	*n_r = n;
	return DRV_STORED;
}

/* One execution; *n_r: how many rows it took of the `left`. */
static enum drv_result
write_run(struct my_write *w, struct sql_row **rows, size_t left, size_t *n_r)
{
	MYSQL_STMT	*stmt = NULL;
	enum drv_result	 r;
	size_t		 n = run_size(w, left), made = n;

	if ((r = make_run(w, rows, &made)) != DRV_STORED)
		return r;
	if (!w->d->bulk && made < n)
		made = run_size(w, made);
	w->shape.rows = w->d->bulk ? 1 : made;
	if ((r = my_stmt_get(w->d, &w->shape, &stmt, w->blame, w->err)) == DRV_STORED)
		r = w->d->bulk ? run_arrays(w, stmt, rows, made) : run_text(w, stmt, made);
	if (r == DRV_REJECT && made == 1)
		w->blame->row = rows[0];
	*n_r = made;
	return r;
}

enum drv_result
my_run_rows(struct my_write *w, struct sql_row **rows, size_t n)
{
	enum drv_result	 r = DRV_STORED;
	size_t		 took;

	w->ncols = 0;
	for (size_t i = 0; i < w->shape.table->ncols; i++)
		if (w->shape.op == MY_DELETE ? i < w->shape.table->nkeys : my_mask_has(&w->shape.insert, i))
			w->cols[w->ncols++] = (uint32_t)i;
	for (; n > 0 && r == DRV_STORED; rows += took, n -= took)
		r = write_run(w, rows, n, &took);
	if (r == DRV_REJECT)
		w->blame->group = w->group;
	return r;
}
