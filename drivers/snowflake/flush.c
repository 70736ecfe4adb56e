/*
 * A batch to its tables: one statement each, all in one request, which is one transaction.
 *
 * A lone statement is a transaction by itself, and gets its document as a bound value.  Several go as one
 * text between BEGIN and COMMIT, with the exact number of them; such a text cannot have bound values, so each has
 * its document as a literal.  What is too large for a text goes as one gzipped file to a stage of
 * the session's own, from which the statements read.
 */

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "drivers/snowflake/merge.h"
#include "drivers/snowflake/snowflake_private.h"
#include "drivers/snowflake/stage.h"

#define TEXT_MOST	((size_t)512 * 1024)	/* of statements with their documents */
#define SPILL_FILES	64			/* in the stage, before they are removed */

struct flush {
	struct drv		*d;
	struct snow_merge	*merges;
	size_t			 n;
	struct buf		 sql, scratch;
	struct buf		*docs;		/* of each merge; unless staged */
	struct buf		 file;		/* gzipped, when staged */
	bool			 staged;
	char			 file_name[32];
	struct sql_blame	*blame;
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a batch");
	return DRV_RETRY;
}

static void
flush_free(struct flush *f)
{
	for (size_t i = 0; i < f->n; i++) {
		snow_merge_free(&f->merges[i]);
		buf_free(&f->docs[i]);
	}
	free(f->merges);
	free(f->docs);
	buf_free(&f->sql);
	buf_free(&f->scratch);
	buf_free(&f->file);
}

static enum drv_result
take_groups(struct flush *f, const struct sql_group *groups, size_t n, struct err *err)
{
	f->merges = calloc(n + 1, sizeof(*f->merges));
	f->docs = calloc(n + 1, sizeof(*f->docs));
	if (f->merges == NULL || f->docs == NULL)
		return nomem(err);
	for (size_t g = 0; g < n; g++) {
		if (!groups[g].table->exists || groups[g].n == 0)
			continue;
		if (snow_merge_init(&f->merges[f->n], &groups[g], f->n, f->d->guarded, err) != 0) {
			f->n++;
			return DRV_RETRY;
		}
		f->n++;
	}
	return DRV_STORED;
}

/* --- documents --- */

static enum drv_result
row_refused(struct flush *f, const struct snow_merge *m, const struct sql_row *r, const struct err *err)
{
	struct sql_row	*at = m->group->first;

	if (err->code == ERR_NOMEM)
		return DRV_RETRY;
	while (at != r)
		at = at->next;
	f->blame->row = at;
	return DRV_REJECT;
}

/* *fits_r: the documents are small enough for a text. */
static enum drv_result
make_documents(struct flush *f, bool *fits_r, struct err *err)
{
	size_t	 total = 0;

	for (size_t k = 0; k < f->n; k++) {
		const struct snow_merge	*m = &f->merges[k];
		const struct sql_row	*r = m->group->first;
		struct buf		*b = &f->docs[k];

		buf_addc(b, '[');
		for (size_t i = 0; i < m->n; i++, r = r->next) {
			if (i > 0)
				buf_addc(b, ',');
			if (snow_merge_row(b, m, r, false, &f->scratch, err) != 0)
				return row_refused(f, m, r, err);
			if (total + b->len > TEXT_MOST) {
				*fits_r = false;
				return DRV_STORED;
			}
		}
		buf_addc(b, ']');
		total += b->len;
		if (b->oom)
			return nomem(err);
	}
	*fits_r = true;
	return DRV_STORED;
}

static bool
squeeze(z_stream *z, struct buf *out, const struct buf *in, int how)
{
	int	rc;

	z->next_in = in->data;
	z->avail_in = (unsigned)in->len;
	do {
		if (!buf_reserve(out, 32768))
			return false;
		z->next_out = out->data + out->len;
		z->avail_out = 32768;
		rc = deflate(z, how);
		out->len += 32768 - z->avail_out;
	} while (rc == Z_OK && z->avail_out == 0);
	return how == Z_FINISH ? rc == Z_STREAM_END : rc == Z_OK || rc == Z_BUF_ERROR;
}

/* One row a line, of all tables. */
static enum drv_result
make_file(struct flush *f, struct err *err)
{
	struct buf	 line = { 0 };
	z_stream	 z = { 0 };
	enum drv_result	 rc = DRV_STORED;
	bool		 ok = deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;

	if (!ok)
		return nomem(err);
	for (size_t k = 0; k < f->n && rc == DRV_STORED; k++) {
		const struct snow_merge	*m = &f->merges[k];
		const struct sql_row	*r = m->group->first;

		for (size_t i = 0; i < m->n && rc == DRV_STORED; i++, r = r->next) {
			buf_reset(&line);
			if (snow_merge_row(&line, m, r, true, &f->scratch, err) != 0) {
				rc = row_refused(f, m, r, err);
				break;
			}
			buf_addc(&line, '\n');
			if (line.oom || !squeeze(&z, &f->file, &line, Z_NO_FLUSH))
				rc = nomem(err);
		}
	}
	buf_reset(&line);
	if (rc == DRV_STORED && !squeeze(&z, &f->file, &line, Z_FINISH))
		rc = nomem(err);
	(void)deflateEnd(&z);
	buf_free(&line);
	return rc;
}

/* --- the stage --- */

static enum drv_result
plain(struct drv *d, const char *doing, struct buf *sql, struct err *err)
{
	struct snow_statement	 st = { .sql = buf_slice(sql), .doing = doing };

	return sql->oom ? nomem(err) : snow_run(&d->session, &st, NULL, NULL, NULL, err);
}

static enum drv_result
spill_open(struct drv *d, struct err *err)
{
	struct buf	 sql = { 0 };
	char		 id[UUID_LEN + 1];
	enum drv_result	 rc;

	if (d->spill.session == d->session.number)
		return DRV_STORED;
	uuid_random(id);
	(void)snprintf(d->spill.name, sizeof(d->spill.name), "eds_batch_%.8s%.4s", id, id + 9);
	buf_printf(&sql, "CREATE TEMPORARY STAGE \"%s\" ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP)",
	    d->spill.name);
	if ((rc = plain(d, "making a stage for large batches", &sql, err)) == DRV_STORED) {
		d->spill.session = d->session.number;
		d->spill.files = 0;
	}
	buf_free(&sql);
	return rc == DRV_UNSURE ? DRV_RETRY : rc;
}

/* What was stored is not needed any more; what cannot be removed now goes with the session. */
static void
spill_sweep(struct drv *d)
{
	struct buf	 sql = { 0 };
	struct err	 err;

	if (++d->spill.files < SPILL_FILES)
		return;
	buf_printf(&sql, "REMOVE @\"%s\"", d->spill.name);
	if (plain(d, "emptying the stage", &sql, &err) == DRV_STORED)
		d->spill.files = 0;
	else
		log_debug(d->log, "%s", err.text);
	buf_free(&sql);
}

static enum drv_result
spill(struct flush *f, struct err *err)
{
	struct drv	*d = f->d;
	struct buf	 path = { 0 };
	enum drv_result	 rc;

	if ((rc = make_file(f, err)) != DRV_STORED || (rc = spill_open(d, err)) != DRV_STORED)
		return rc;
	/* The same batch has the same name, so its statement is the same text; a trial is another file. */
	(void)snprintf(f->file_name, sizeof(f->file_name), "%016llx.json.gz",
	    (unsigned long long)hash_xxh64(buf_slice(&f->file)));
	buf_printf(&path, "@\"%s\"/", d->spill.name);
	rc = path.oom ? nomem(err) : snow_put(&d->session, buf_cstr(&path), f->file_name, buf_slice(&f->file), d->spool_dir, err);
	buf_free(&path);
	return rc == DRV_UNSURE ? DRV_RETRY : rc;
}

/* --- statements --- */

static int
add_staged(struct flush *f, const struct snow_merge *m, struct err *err)
{
	char	 source[128], filter[64];

	(void)snprintf(source, sizeof(source), "@\"%s\"/%s", f->d->spill.name, f->file_name);
	(void)snprintf(filter, sizeof(filter), " WHERE $1['t']::NUMBER = %zu", m->number);
	return snow_merge_sql(&f->sql, m, "$1", "", slice_of(source), filter, err);
}

static int
add_literal(struct flush *f, size_t k, struct err *err)
{
	struct buf	 literal = { 0 };
	int		 rc;

	snow_literal(&literal, buf_slice(&f->docs[k]));
	f->sql.oom |= literal.oom;
	rc = snow_merge_sql(&f->sql, &f->merges[k], "f.value", "TABLE(FLATTEN(INPUT => PARSE_JSON(", buf_slice(&literal),
	    "))) AS f", err);
	buf_free(&literal);
	return rc;
}

/* Alone, it has its document as a bound value. */
static bool
is_alone(const struct flush *f, enum sql_end end)
{
	return f->n == 1 && end == SQL_COMMIT;
}

static enum drv_result
make_statements(struct flush *f, enum sql_end end, unsigned *count_r, struct err *err)
{
	bool	 alone = is_alone(f, end);
	int	 rc = 0;

	*count_r = alone ? 0 : (unsigned)f->n + 2;
	if (!alone)
		buf_adds(&f->sql, "BEGIN;\n");
	for (size_t k = 0; k < f->n && rc == 0; k++) {
		if (f->staged)
			rc = add_staged(f, &f->merges[k], err);
		else if (alone)
			rc = snow_merge_sql(&f->sql, &f->merges[k], "f.value", "TABLE(FLATTEN(INPUT => PARSE_JSON(", SLICE("?"),
			    "))) AS f", err);
		else
			rc = add_literal(f, k, err);
		buf_adds(&f->sql, alone ? "" : ";\n");
	}
	if (!alone)
		buf_adds(&f->sql, end == SQL_COMMIT ? "COMMIT;" : "ROLLBACK;");
	if (f->sql.oom)
		return nomem(err);
	return rc == 0 ? DRV_STORED : err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
}

/*
 * The id under which it was asked before, should it be the same.  Another one of unknown fate is given up with
 * its session, so that it cannot commit behind our back.
 */
static enum drv_result
take_id(struct drv *d, const struct snow_statement *st, struct err *err)
{
	uint64_t	 hash = hash_xxh64(st->sql) * 31 + (st->bind.p == NULL ? 0 : hash_xxh64(st->bind));
	struct snow_pending *p = &d->pending;

	if (p->id[0] != '\0' && p->session == d->session.number) {
		if (p->hash == hash)
			return DRV_STORED;
		snow_abort(&d->session, p->id);
		snow_session_drop(&d->session);
		p->id[0] = '\0';
		err_set(err, ERR_TEMPORARY, "an earlier statement is given up with its session");
		return DRV_RETRY;
	}
	*p = (struct snow_pending){ .hash = hash, .session = d->session.number };
	uuid_random(p->id);
	return DRV_STORED;
}

static enum drv_result
run(struct flush *f, enum sql_end end, struct err *err)
{
	struct drv		*d = f->d;
	struct snow_statement	 st = { .doing = "storing a batch" };
	char			 tag[160];
	enum drv_result		 rc = make_statements(f, end, &st.count, err);

	if (rc != DRV_STORED)
		return rc;
	(void)snprintf(tag, sizeof(tag), "eds-%s/%llu/%zu", d->sid, (unsigned long long)d->flushes + 1, d->batch_n);
	st.tag = tag;
	st.sql = buf_slice(&f->sql);
	if (is_alone(f, end) && !f->staged)
		st.bind = buf_slice(&f->docs[0]);
	if ((rc = take_id(d, &st, err)) != DRV_STORED)
		return rc;
	st.request_id = d->pending.id;
	rc = snow_run(&d->session, &st, NULL, NULL, NULL, err);
	f->blame->stale = st.stale;
	if (rc != DRV_UNSURE)
		d->pending.id[0] = '\0';
	d->open_transaction = rc != DRV_STORED && st.count > 0;
	return rc;
}

enum drv_result
snow_apply(struct drv *d, const struct sql_group *groups, size_t n, enum sql_end end, struct sql_blame *blame,
    struct err *err)
{
	struct flush	 f = { .d = d, .blame = blame };
	enum drv_result	 rc = take_groups(&f, groups, n, err);
	bool		 fits = true;

	if (rc == DRV_STORED && f.n > 0 && (rc = make_documents(&f, &fits, err)) == DRV_STORED) {
		f.staged = !fits;
		if (f.staged)
			rc = spill(&f, err);
		if (rc == DRV_STORED)
			rc = run(&f, end, err);
		if (rc == DRV_STORED && f.staged)
			spill_sweep(d);
		if (rc == DRV_STORED && end == SQL_COMMIT)
			d->flushes++;
	}
	flush_free(&f);
	return rc;
}

void
snow_undo(struct drv *d)
{
	struct snow_statement	 st = { .sql = SLICE("ROLLBACK"), .doing = "rolling back" };
	struct err		 err;

	if (!d->open_transaction || d->session.token == NULL) {
		d->open_transaction = false;
		return;
	}
	if (d->pending.id[0] != '\0')
		return;		/* it may still run: it is asked for again, and its transaction is not ours to end */
	if (snow_run(&d->session, &st, NULL, NULL, NULL, &err) != DRV_STORED) {
		log_debug(d->log, "%s", err.text);
		snow_session_drop(&d->session);		/* ends the transaction too */
	}
	d->open_transaction = false;
}
