/*
 * A batch to the server, in one round trip: BEGIN, per table a DELETE and an INSERT ... ON CONFLICT with all
 * its rows, COMMIT, sent without waiting for answers (libpq's pipeline).
 *
 * Rows go as arrays, one per column, of which unnest() makes rows again.  Measured with PostgreSQL 15
 * on a machine of 2 cores, 30 columns, 80 % of the keys present, 1000 rows a statement, rows/s of
 * the server alone:
 *
 *	binary arrays, integers, doubles, booleans and times in their own form	83,000 to 89,000
 *	the same, FROM unnest($1, $2, ...) instead of side by side		69,000 to 81,000
 *	... with times as text							61,000 to 65,000
 *	... everything as text, cast by the server				57,000 to 61,000
 *	UPDATE ... FROM for rows known to be there, INSERT for the others	89,000 to 102,000
 *
 * The last would need an answer before the COMMIT, to find rows that are not there after all, and a second
 * way for those.  Room in the pages (fillfactor 70) gains 5 % and costs a third of the disk: without it four of
 * five updates find room already where older versions were.
 *
 * While the server works the worker folds the next batch, if much is waiting (sql_store_ahead()); without
 * that the server idles for a fifth of the time.
 *
 * 250 or 4000 rows a statement make no difference, so a large batch goes in runs: the server
 * works on one while the next is made.  No temporary tables, which would be faster still with thousands
 * of rows for one table only, slow with few, and are not CockroachDB's.
 *
 * A worker that was killed may leave a transaction behind that the server has yet to work on.  Were
 * it to end after its successor's first, it would write older values over newer ones.  So every
 * transaction of a destination begins with the same advisory lock.
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"

#define ROWS_AT_ONCE	256
#define NAME_SIZE	32
#define NAMES_KEPT	1000	/* prepared statements at the server, counting those not used any more */

/* Their names stay known to the server until tidy() or the end of the connection. */
void
pg_forget(struct drv *d)
{
	sql_stmts_flush(&d->cache);
}

/* --- the pipeline --- */

enum drv_result
pg_gone(struct drv *d, struct err *err)
{
	err_set(err, ERR_TEMPORARY, "%s: the connection was lost", d->url.where);
	return DRV_RETRY;
}

enum drv_result
pg_nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a batch");
	return DRV_RETRY;
}

static bool
note(struct drv *d, const struct sql_group *g, struct sql_stmt *prepares)
{
	struct pg_sent	*sent;
	size_t		 cap = d->sent_cap == 0 ? 64 : d->sent_cap * 2;

	if (d->nsent == d->sent_cap) {
		if ((sent = reallocarray(d->sent, cap, sizeof(*sent))) == NULL)
			return false;
		d->sent = sent;
		d->sent_cap = cap;
	}
	d->sent[d->nsent++] = (struct pg_sent){ .group = g, .prepares = prepares };
	return true;
}

/* `rc` is that of a PQsend function. */
static enum drv_result
sent(struct drv *d, int rc, const struct sql_group *g, struct sql_stmt *prepares, struct err *err)
{
	if (rc != 1)
		return pg_gone(d, err);
	return note(d, g, prepares) ? DRV_STORED : pg_nomem(err);
}

static enum drv_result
say(struct drv *d, const char *sql, int n, const char *const *values, struct err *err)
{
	return sent(d, PQsendQueryParams(d->conn, sql, n, NULL, values, NULL, NULL, 0), NULL, NULL, err);
}

/* --- rows --- */

/* Rows of a table with the same columns. */
struct bucket {
	uint64_t	*mask;		/* see pg_stmt.mask */
	struct sql_row	**rows;
	size_t		 n;
};

static bool
bucket_begin(struct drv *d, struct bucket *b, const uint64_t *mask, size_t words, size_t most)
{
	*b = (struct bucket){ .mask = arena_get(&d->arena, 2 * words * sizeof(*mask)) };
	b->rows = arena_get(&d->arena, most * sizeof(struct sql_row *));
	if (b->mask == NULL || b->rows == NULL)
		return false;
	memcpy(b->mask, mask, words * sizeof(*mask));
	return true;
}

static void
name_of(const struct sql_stmt *s, char *name)
{
	(void)snprintf(name, NAME_SIZE, "eds%llu", (unsigned long long)s->number);
}

static enum drv_result
bucket_send(struct drv *d, const struct sql_group *g, struct bucket *b, struct sql_blame *blame, struct err *err)
{
	size_t		 words = sql_mask_words(g->table);
	struct sql_stmt	*s;
	enum drv_result	 r = pg_params_fill(d, g->table, b->rows, b->n, g->table->ncols, b->mask, blame, err);
	char		 name[NAME_SIZE];

	if (r != DRV_STORED)
		return r;
	if ((s = sql_stmts_get(&d->cache, g->table, 0, b->mask, 2 * words)) == NULL)
		return pg_nomem(err);
	if (s->number == 0) {
		if (pg_stmt_upsert(d, &d->sql, g->table, b->mask, err) != 0)
			return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
		if (d->unnamed) {
			b->n = 0;
			return sent(d, pg_params_send(d, NULL, buf_cstr(&d->sql)), g, NULL, err);
		}
		s->number = ++d->named;
		name_of(s, name);
		if ((r = sent(d, PQsendPrepare(d->conn, name, buf_cstr(&d->sql), 0, NULL), g, s, err)) != DRV_STORED)
			return r;
	}
	name_of(s, name);
	r = sent(d, pg_params_send(d, name, NULL), g, NULL, err);
	b->n = 0;
	(void)PQflush(d->conn);		/* the server may begin; what is lost shows in the results */
	return r;
}

/* Upserts and the second half of replacements; buckets are few, for rows of one version have the same columns. */
static enum drv_result
group_upsert(struct drv *d, const struct sql_group *g, struct sql_blame *blame, struct err *err)
{
	size_t		 words = sql_mask_words(g->table), n = 0, at = 0, most = g->n < ROWS_AT_ONCE ? g->n : ROWS_AT_ONCE;
	struct bucket	*buckets = arena_get(&d->arena, g->n * sizeof(*buckets));
	uint64_t	*mask = arena_get(&d->arena, words * sizeof(*mask));
	struct sql_row	*row = g->first;
	enum drv_result	 r = DRV_STORED;

	if (buckets == NULL || mask == NULL)
		return pg_nomem(err);
	for (size_t i = 0; i < g->n && r == DRV_STORED; i++, row = row->next) {
		if (row->what == SQL_DELETE)
			continue;
		sql_mask_of(row, mask);
		if (n == 0 || memcmp(buckets[at].mask, mask, words * sizeof(*mask)) != 0)
			for (at = 0; at < n; at++)
				if (memcmp(buckets[at].mask, mask, words * sizeof(*mask)) == 0)
					break;
		if (at == n && !bucket_begin(d, &buckets[n++], mask, words, most))
			return pg_nomem(err);
		buckets[at].rows[buckets[at].n++] = row;
		if (buckets[at].n == most)
			r = bucket_send(d, g, &buckets[at], blame, err);
	}
	for (at = 0; at < n && r == DRV_STORED; at++)
		if (buckets[at].n > 0)
			r = bucket_send(d, g, &buckets[at], blame, err);
	return r;
}

/* Deletes, and the first half of replacements.  Never prepared: a plan made while the table was small scans it. */
static enum drv_result
group_delete(struct drv *d, const struct sql_group *g, struct sql_blame *blame, struct err *err)
{
	size_t		 words = sql_mask_words(g->table), n = 0;
	uint64_t	*mask = arena_get(&d->arena, 2 * words * sizeof(*mask));
	struct sql_row	**rows = arena_get(&d->arena, g->n * sizeof(*rows)), *row = g->first;
	enum drv_result	 r;

	if (mask == NULL || rows == NULL)
		return pg_nomem(err);
	for (size_t i = 0; i < g->n; i++, row = row->next)
		if (row->what != SQL_UPSERT)
			rows[n++] = row;
	if (n == 0)
		return DRV_STORED;
	memset(mask, 0xff, words * sizeof(*mask));
	if ((r = pg_params_fill(d, g->table, rows, n, g->table->nkeys, mask, blame, err)) != DRV_STORED)
		return r;
	if (pg_stmt_delete(d, &d->sql, g->table, mask + words, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
	return sent(d, pg_params_send(d, NULL, buf_cstr(&d->sql)), g, NULL, err);
}

static enum drv_result
group_send(struct drv *d, const struct sql_group *g, struct sql_blame *blame, struct err *err)
{
	enum drv_result	 r;

	if (!g->table->exists)
		return DRV_STORED;
	if ((r = group_delete(d, g, blame, err)) == DRV_STORED)
		r = group_upsert(d, g, blame, err);
	if (blame->row != NULL)
		blame->group = g;
	return r;
}

/* --- the answers --- */

/* The answers to one statement. */
static enum drv_result
answer(struct drv *d, const struct pg_sent *s, struct sql_blame *blame, bool *lost, struct err *err)
{
	enum drv_result	 r = DRV_STORED;
	PGresult	*res;
	bool		 fine = false;

	while ((res = pg_result(d, lost, err)) != NULL) {
		switch (PQresultStatus(res)) {
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
			fine = true;
			break;
		case PGRES_PIPELINE_ABORTED:
			break;
		default:
			r = pg_fail(d, res, blame, s->group == NULL ? "writing" : s->group->table->name.p, err);
			blame->group = s->group;
			*lost = PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL;
			break;
		}
		PQclear(res);
	}
	if (*lost && r == DRV_STORED)
		r = DRV_RETRY;
	if (!fine && s->prepares != NULL)
		s->prepares->number = 0;
	return r;
}

/* All answers.  The first that is not fine is the result; the rest were not worked on. */
static enum drv_result
answers(struct drv *d, struct sql_blame *blame, struct err *err)
{
	enum drv_result	 r = DRV_STORED, one;
	struct err	 ignored;
	bool		 lost = false;

	for (size_t i = 0; i < d->nsent && !lost; i++) {
		one = answer(d, &d->sent[i], r == DRV_STORED ? blame : &(struct sql_blame){ .group = NULL }, &lost,
		    r == DRV_STORED ? err : &ignored);
		if (r == DRV_STORED)
			r = one;
	}
	if (!lost && d->conn != NULL)
		PQclear(pg_result(d, &lost, r == DRV_STORED ? err : &ignored));	/* of the pipeline's end */
	if (lost) {
		pg_disconnect(d);
		return r == DRV_STORED || r == DRV_RETRY ? DRV_UNSURE : r;
	}
	return r;
}

/* Within the transaction of a file a batch is no more than a savepoint. */
static const char *
ending(const struct drv *d, enum sql_end end)
{
	if (d->in_file)
		return end == SQL_COMMIT ? "RELEASE SAVEPOINT eds" : "ROLLBACK TO SAVEPOINT eds";
	return end == SQL_COMMIT ? "COMMIT" : "ROLLBACK";
}

/* Sends the end of the pipeline and takes it down; `r` is how it went so far. */
static enum drv_result
finish(struct drv *d, enum drv_result r, enum sql_end end, struct sql_blame *blame, struct err *err)
{
	struct sql_blame	 ignored_blame = { .group = NULL };
	struct err		 ignored;
	enum drv_result		 told = r;

	if (r == DRV_STORED && end == SQL_ROLLBACK && !d->cockroach)
		r = say(d, "SET CONSTRAINTS ALL IMMEDIATE", 0, NULL, err);
	if (r == DRV_STORED || told != DRV_STORED)
		told = say(d, ending(d, r == DRV_STORED ? end : SQL_ROLLBACK), 0, NULL, r == DRV_STORED ? err : &ignored);
	if (told == DRV_STORED && PQpipelineSync(d->conn) == 1 && pg_flush_all(d, r == DRV_STORED ? err : &ignored)) {
		if (r == DRV_STORED && end == SQL_COMMIT)
			sql_store_ahead(&d->store);
		told = r == DRV_STORED ? answers(d, blame, err) : answers(d, &ignored_blame, &ignored);
	} else {
		told = DRV_RETRY;
	}
	if (d->conn != NULL && PQexitPipelineMode(d->conn) != 1)
		pg_disconnect(d);
	if (r == DRV_STORED && told != DRV_STORED && err->code == ERR_NONE)
		(void)pg_gone(d, err);
	return r != DRV_STORED ? r : told;
}

/* The server's words do not name the column of a value that a type cannot hold: one row's columns, one by one. */
static void
name_column(struct drv *d, const struct sql_row *row, struct err *err)
{
	const struct sql_table	*t = row->table;
	struct buf		 element = { 0 }, sql = { 0 };
	struct err		 ignored;
	PGresult		*res;
	const char		*why, *text;
	enum drv_result		 r = DRV_STORED;

	for (size_t i = 0; i < t->ncols && r == DRV_STORED; i++) {
		buf_reset(&element);
		buf_reset(&sql);
		if (row->v[i].type <= JV_NULL || pg_value_text(&element, &t->cols[i], &t->held[i], &row->v[i], &d->scratch,
		    &why) != PG_FITS)
			continue;
		text = buf_cstr(&element) + sizeof(uint32_t);
		buf_printf(&sql, "SELECT $1::text::%s", pg_type_name(d, t->held[i].type));
		r = pg_query(d, buf_cstr(&sql), 1, &text, &res, "looking for the column", &ignored);
		if (r == DRV_STORED)
			PQclear(res);
		else if (r == DRV_REJECT)
			err_prefix(err, "column \"%s\"", t->cols[i].name.p);
	}
	buf_free(&element);
	buf_free(&sql);
}

static enum drv_result
tidy(struct drv *d, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	if (d->named < NAMES_KEPT)
		return r;
	if ((r = pg_exec(d, "DEALLOCATE ALL", "forgetting statements", err)) == DRV_STORED) {
		pg_forget(d);
		d->named = 0;
	}
	return r;
}

enum drv_result
pg_end_transaction(struct drv *d, enum drv_result r)
{
	PGTransactionStatusType	 open = d->in_file ? PQTRANS_INTRANS : PQTRANS_IDLE;
	struct err		 ignored;

	if (d->conn != NULL && PQtransactionStatus(d->conn) != open &&
	    pg_exec(d, ending(d, SQL_ROLLBACK), "rolling back", &ignored) != DRV_STORED)
		pg_disconnect(d);
	return r;
}

enum drv_result
pg_apply(struct drv *d, const struct sql_group *groups, size_t n, enum sql_end end, struct sql_blame *blame, struct err *err)
{
	const char	*fence = d->fence;
	enum drv_result	 r = tidy(d, err);

	if (r != DRV_STORED)
		return r;
	arena_reset(&d->arena);
	d->nsent = 0;
	*err = (struct err){ .code = ERR_NONE };
	if (PQenterPipelineMode(d->conn) != 1)
		return pg_gone(d, err);
	r = say(d, d->in_file ? "SAVEPOINT eds" : "BEGIN", 0, NULL, err);
	if (r == DRV_STORED && !d->cockroach && !d->in_file)
		r = say(d, "SELECT pg_advisory_xact_lock($1)", 1, &fence, err);
	for (size_t g = 0; g < n && r == DRV_STORED; g++)
		r = group_send(d, &groups[g], blame, err);
	r = pg_end_transaction(d, finish(d, r, end, blame, err));
	if (r == DRV_REJECT && end == SQL_ROLLBACK && n == 1 && groups[0].n == 1 && blame->row == NULL && d->conn != NULL)
		name_column(d, groups[0].first, err);
	return pg_end_transaction(d, r);
}
