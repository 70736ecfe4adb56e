/*
 * Imported rows.  One object for each, like any event; or, with format=ndjson, rolls of
 * their own, <prefix><table>/import-<job>/<hash of the first row's key>.ndjson[.gz].
 *
 * A roll of an import ends when it is roll-bytes long, or where the import is committed, which is the end of a
 * file; what batches the rows came in plays no part.  So a file that comes again makes the same objects again.
 */

#include <stdlib.h>

#include "drivers/s3/s3_lines.h"
#include "drivers/s3/s3_private.h"

struct s3_import {
	char		*job;
	struct buf	 key, text;	/* of the roll that is being gathered; no text: none */
};

enum drv_result
s3_import_begin(struct drv *drv, const struct drv_import *import, struct err *err)
{
	s3_import_free(drv);
	if ((drv->import = calloc(1, sizeof(*drv->import))) == NULL || (drv->import->job = slice_dup(import->job)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for an import");
		return DRV_RETRY;
	}
	return DRV_STORED;
}

static void
render(struct drv *drv, const struct s3_job *job, const struct s3_object *o, struct buf *key, struct buf *body)
{
	struct s3_lines	*lines = s3_lines_new(drv->config.gzip, body);
	bool		 ok;

	(void)job;
	(void)o;
	buf_adds_slice(key, buf_slice(&drv->import->key));
	ok = lines != NULL && s3_lines_add(lines, buf_slice(&drv->import->text));
	if (lines == NULL || !s3_lines_end(&lines) || !ok)
		body->oom = true;
}

static void
forget(struct s3_import *m)
{
	buf_reset(&m->text);
	buf_reset(&m->key);
}

/* Stores what was gathered; when that fails, the file comes again from its beginning. */
static enum drv_result
store_roll(struct drv *drv, struct err *err)
{
	struct s3_import	*m = drv->import;
	const struct s3_object	 object = { .chain = { SLICE(""), SLICE("") } };
	const struct s3_job	 job = { .content_type = S3_ROLL_TYPE(&drv->config), .render = render };
	struct drv_outcome	 out = { 0 };
	enum drv_result		 rc;

	if (m == NULL || m->text.len == 0)
		return DRV_STORED;
	drv->n_kept = 0;
	if (s3_chain_begin(drv, 1, err) != 0)
		return DRV_RETRY;
	s3_chain_add(drv, &object);
	rc = s3_upload(drv, &job, &out);
	drv->n_kept = 0;
	forget(m);
	*err = out.err;
	return rc;
}

static void
gather(struct drv *drv, const struct event *ev)
{
	struct s3_import	*m = drv->import;

	if (m->text.len == 0)
		s3_key_import(&m->key, slice_of(drv->config.prefix), ev, slice_of(m->job), drv->config.gzip);
	event_store_json(ev, &m->text);
	buf_addc(&m->text, '\n');
}

static enum drv_result
roll_rows(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	struct s3_import	*m = drv->import;
	enum drv_result		 rc;

	for (size_t i = 0; i < batch->n; i++) {
		if (m->text.len >= drv->config.roll_bytes && (rc = store_roll(drv, &out->err)) != DRV_STORED)
			return rc;
		gather(drv, batch->v[i].ev);
		if (m->text.oom || m->key.oom) {
			(void)err_set(&out->err, ERR_NOMEM, "no memory for a roll");
			return DRV_BROKEN;
		}
	}
	return DRV_STORED;
}

enum drv_result
s3_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	enum drv_result	 rc;

	(void)table;
	if (drv->config.ndjson)
		return roll_rows(drv, batch, out);
	drv->n_kept = 0;		/* rows have no sequence that could tell them apart */
	rc = s3_events(drv, batch, out);
	drv->n_kept = 0;
	return rc;
}

enum drv_result
s3_import_commit(struct drv *drv, struct err *err)
{
	return store_roll(drv, err);
}

enum drv_result
s3_import_end(struct drv *drv, struct err *err)
{
	enum drv_result	 rc = store_roll(drv, err);

	if (rc == DRV_STORED)
		s3_import_free(drv);
	return rc;
}

void
s3_import_abort(struct drv *drv)
{
	s3_import_free(drv);		/* what is stored are rows like others */
}

void
s3_import_free(struct drv *drv)
{
	struct s3_import	*m = drv->import;

	if (m == NULL)
		return;
	buf_free(&m->key);
	buf_free(&m->text);
	free(m->job);
	free(m);
	drv->import = NULL;
}
