/* The course of an import: what is to be known before rows can move, and how it comes to its end. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/hash.h"
#include "supervisor/import/import_private.h"

#define SAVE_EVERY_S	1.0
#define SCHEMA_TRIES	8u
#define SCHEMA_AGAIN_S	3.0

static const char *const phase_names[] = {
	[PH_WAITING] = "waiting", [PH_TESTING] = "testing", [PH_SCHEMA] = "exporting", [PH_EXPORTING] = "exporting", [PH_LOADING] = "loading",
	[PH_ENDING] = "ending", [PH_STOPPING] = "stopping", [PH_OVER] = "ending",
};

/* --- the record --- */

int
import_save(struct import *im)
{
	struct err	 err = { 0 };

	im->unsaved = false;
	ev_timer_stop(im->host.loop, &im->save);
	if (im->dry || import_record_save(&im->rec, im->host.store, im->destination, &err) == 0)
		return 0;
	log_error(&im->log, "%s", err.text);
	return -1;
}

static void
on_save(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	/* A file that is not on record as loaded is loaded once more after a crash, nothing worse. */
	(void)import_save(w->data);
}

void
import_save_soon(struct import *im)
{
	if (im->unsaved || im->dry)
		return;
	im->unsaved = true;
	ev_timer_set(&im->save, SAVE_EVERY_S, 0.);
	ev_timer_start(im->host.loop, &im->save);
}

/* --- the end --- */

static void
on_over(struct ev_loop *loop, ev_timer *w, int events)
{
	struct import	*im = w->data;

	(void)loop;
	(void)events;
	im->host.ended(im->host.arg, im->outcome, im->text);
}

void
import_over(struct import *im)
{
	bool	 good = im->outcome == IMPORT_DONE;

	im->phase = PH_OVER;
	ev_timer_stop(im->host.loop, &im->timer);
	if (!good && !im->dry) {
		im->rec.state = im->outcome;
		im->rec.ended_ms = wall_ms();
		free(im->rec.error);
		im->rec.error = im->text[0] == '\0' ? NULL : strdup(im->text);
		(void)import_save(im);
	}
	if ((good && !im->rec.keep_files) || im->dry || im->bounded)
		import_dir_remove(im);
	ev_timer_start(im->host.loop, &im->over);	/* whoever called us is on the stack */
}

void
import_stop(struct import *im, enum import_state outcome, const char *why)
{
	if (im->phase == PH_STOPPING || im->phase == PH_OVER)
		return;
	im->phase = PH_STOPPING;
	im->outcome = outcome;
	(void)snprintf(im->text, sizeof(im->text), "%s", why);
	oneshot_cancel(&im->oneshot);
	http_cancel(&im->schema_call);
	export_free(&im->export);
	load_stop(im);
}

static void
fail(struct import *im, const struct err *err)
{
	import_stop(im, IMPORT_FAILED, err->text);
}

/* --- the export --- */

static void
files_are_known(struct import *im, int rc, struct err *err)
{
	if (rc == 0 && !im->rec.schema_only && im->rec.state != IMPORT_ENDING)
		rc = import_dir_make(im, err);
	if (rc == 0 && !im->dry && !im->resumed)
		rc = import_keep_schemas(im, err);
	if (rc == -1) {
		fail(im, err);
		return;
	}
	im->rec.files = im->n_files;
	if (im->rec.state == IMPORT_EXPORTING)
		im->rec.state = IMPORT_LOADING;
	im->phase = im->rec.state == IMPORT_ENDING ? PH_ENDING : PH_LOADING;
	/* On record before the destination is touched, or nobody would remove what is made there. */
	if (import_save(im) == -1) {
		import_stop(im, IMPORT_FAILED, "the store cannot be written");
		return;
	}
	log_info(&im->log, "importing %zu tables from %zu files into %s", im->rec.n_tables, im->n_files, im->destination);
	load_begin(im);
}

static void
on_progress(void *arg, const char *job_id, size_t completed, size_t total)
{
	struct import	*im = arg;

	im->tables_exported = completed;
	im->tables_total = total;
	if (im->rec.export_id == NULL) {
		im->rec.export_id = strdup(job_id);
		(void)import_save(im);
	}
}

static void
on_complete(void *arg, const struct export_table *tables, size_t n)
{
	struct import	*im = arg;
	struct err	 err = { 0 };
	int		 rc;

	if (im->phase != PH_EXPORTING) {
		load_urls_are_fresh(im, tables, n);
		return;
	}
	im->tables_exported = im->tables_total = n;
	rc = import_files_of_export(im, tables, n, &err);
	files_are_known(im, rc, &err);
}

static void
on_export_failed(void *arg, const struct err *err)
{
	fail(arg, err);
}

static void
begin_export(struct import *im)
{
	const struct export_settings	 s = { .loop = im->host.loop, .http = im->host.http, .api_url = im->api_url, .token = im->token,
		.job_id = im->rec.export_id, .time_offset_ms = im->rec.time_offset_ms,
		.company_ids = (const char *const *)im->rec.company_ids, .location_ids = (const char *const *)im->rec.location_ids,
		.tables = (const char *const *)im->rec.only };
	const struct export_events	 on = { .arg = im, .progress = on_progress, .complete = on_complete, .failed = on_export_failed };
	struct err			 err = { 0 };

	im->phase = PH_EXPORTING;
	if (im->rec.export_id == NULL)
		log_info(&im->log, "HQ is asked for an export");
	else
		log_info(&im->log, "going on with the export job %s", im->rec.export_id);
	if (export_new(&im->export, &s, &on, &err) == -1)
		fail(im, &err);
}

/* The tables are known; where do the rows come from? */
static void
tables_are_known(struct import *im)
{
	struct err	 err = { 0 };

	if (im->rec.schema_only || im->rec.state == IMPORT_ENDING)
		files_are_known(im, 0, &err);
	else if (im->rec.dir != NULL && !im->rec.own_dir)
		files_are_known(im, import_files_of_dir(im, &err), &err);
	else
		begin_export(im);
}

/* --- the schemas --- */

static void	fetch_schemas(struct import *);

static void
on_fetch_again(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	fetch_schemas(w->data);
}

static void
on_schemas(void *arg, const struct http_response *r)
{
	struct import	*im = arg;
	struct err	 err = { 0 };
	json_t		*all = NULL;

	im->schema_call = NULL;
	if (r->status == 200)
		all = json_loadb(r->body.p == NULL ? "" : r->body.p, r->body.n, 0, NULL);
	if (json_is_object(all)) {
		if (import_tables_of_schema(im, all, &err) == -1)
			fail(im, &err);
		else
			tables_are_known(im);
	} else if (++im->schema_failures < SCHEMA_TRIES) {
		ev_timer_init(&im->timer, on_fetch_again, SCHEMA_AGAIN_S, 0.);
		im->timer.data = im;
		ev_timer_start(im->host.loop, &im->timer);
	} else {
		(void)err_set(&err, ERR_TEMPORARY, "the schemas cannot be fetched from HQ: %s",
		    r->status == 0 ? r->err->text : r->status == 200 ? "the answer is not the JSON that HQ sends" : "it answers with an error");
		fail(im, &err);
	}
	json_decref(all);
}

static void
fetch_schemas(struct import *im)
{
	struct http_request	 request = { .method = "GET", .user_agent_only = true, .retry = true };
	struct buf		 url = { 0 };
	struct err		 err = { 0 };

	im->phase = PH_SCHEMA;
	buf_printf(&url, "%s/v3/schema", im->api_url);
	request.url = buf_cstr(&url);
	if (http_start(im->host.http, &request, on_schemas, im, &im->schema_call, &err) == -1)
		fail(im, &err);
	buf_free(&url);
}

/* --- the test --- */

static void
on_tested(void *arg, enum oneshot_result result, const char *text)
{
	struct import	*im = arg;
	struct err	 err = { 0 };

	im->oneshot = NULL;
	if (result == ONESHOT_FINE) {
		fetch_schemas(im);
		return;
	}
	(void)err_set(&err, ERR_CONFIG, "the destination %s cannot be used: %s", im->destination, text);
	fail(im, &err);
}

static void
test_destination(struct import *im)
{
	const struct oneshot_settings	 s = { .loop = im->host.loop, .program = im->host.program, .destination = im->destination,
		.url = im->url, .update_strategy = im->update_strategy, .session = im->session, .data_dir = im->host.data_dir };

	struct err			 err = { 0 };

	im->phase = PH_TESTING;
	if (oneshot_test(&im->oneshot, &s, on_tested, im, &err) == -1)
		fail(im, &err);
}

/* --- life --- */

static int
copy_texts(struct import *im, const struct import_options *o)
{
	struct slice	 api = slice_of(o->api_url);

	while (api.n > 0 && api.p[api.n - 1] == '/')
		api.n--;
	im->destination = strdup(o->destination);
	im->url = strdup(o->url);
	im->update_strategy = strdup(o->update_strategy);
	im->session = strdup(o->session);
	im->api_url = slice_dup(api);
	im->token = strdup(o->token);
	im->rules = strdup(o->rules == NULL ? "" : o->rules);
	hash_hex(slice_of(o->url), im->rec.url_hash);
	return im->destination == NULL || im->url == NULL || im->update_strategy == NULL || im->session == NULL ||
	    im->api_url == NULL || im->token == NULL || im->rules == NULL ? -1 : 0;
}

static struct import *
import_new(const struct import_host *host, const struct import_options *o)
{
	struct import	*im = calloc(1, sizeof(*im));

	if (im == NULL)
		return NULL;
	im->host = *host;
	im->rejects_fd = -1;
	ev_init(&im->timer, on_fetch_again);
	ev_init(&im->save, on_save);
	ev_timer_init(&im->over, on_over, 0., 0.);
	im->timer.data = im->save.data = im->over.data = im;
	im->bounded = o->bounded;
	im->tested = o->tested;
	im->ping_timeout_ms = o->ping_timeout_ms > 0 ? o->ping_timeout_ms : IMPORT_PING_MS;
	load_init(im);
	if (copy_texts(im, o) == -1)
		import_free(&im);
	else
		log_make(&im->log, "import", im->destination, NULL);
	return im;
}

/* Names at the destination are made of it: short, and never used before. */
static char *
new_job(const struct import *im)
{
	struct buf	 seed = { 0 };
	char		 hex[17];

	buf_printf(&seed, "%s %lld %ld %llu", im->destination, (long long)wall_ns(), (long)getpid(),
	    (unsigned long long)random_below(UINT64_MAX));
	hash_hex(buf_slice(&seed), hex);
	buf_free(&seed);
	hex[12] = '\0';
	return strdup(hex);
}

static int
copy_list(char ***to, const char *const *from)
{
	*to = import_list_copy(from);
	return from != NULL && *to == NULL ? -1 : 0;
}

static int
fill_record(struct import *im, const struct import_options *o, struct err *err)
{
	struct import_record	*r = &im->rec;

	r->state = IMPORT_EXPORTING;
	r->job = new_job(im);
	r->started_ms = wall_ms();
	r->cursor = o->cursor;
	r->time_offset_ms = o->time_offset_ms;
	r->schema_only = o->schema_only;
	r->keep = o->keep;
	r->keep_files = o->keep_files;
	r->single = o->single;
	r->parallel = o->parallel == 0 ? IMPORT_PARALLEL : o->parallel;
	r->reject_limit = o->reject_limit;
	if (r->job == NULL || copy_list(&r->only, o->only) == -1 || copy_list(&r->company_ids, o->company_ids) == -1 ||
	    copy_list(&r->location_ids, o->location_ids) == -1 ||
	    (o->job_id != NULL && (r->export_id = strdup(o->job_id)) == NULL) ||
	    (o->dir != NULL && (r->dir = realpath(o->dir, NULL)) == NULL))
		return o->dir != NULL && r->dir == NULL ? err_sys(err, "cannot read the folder %s", o->dir) :
		    err_set(err, ERR_NOMEM, "import");
	return 0;
}

/* The downloads of an earlier attempt at the same job are taken up. */
static void
take_up_downloads(struct import *im, const struct import_record *earlier)
{
	struct stat	 st;

	if (im->rec.export_id == NULL || earlier->export_id == NULL || strcmp(im->rec.export_id, earlier->export_id) != 0 ||
	    earlier->dir == NULL || !earlier->own_dir || stat(earlier->dir, &st) == -1)
		return;
	im->rec.dir = strdup(earlier->dir);
	im->rec.own_dir = true;
}

int
import_start(struct import **im_r, const struct import_host *host, const struct import_options *o, struct err *err)
{
	struct import		*im = import_new(host, o);
	struct import_record	 earlier = { 0 };
	struct err		 none = { 0 };

	if (im == NULL)
		return err_set(err, ERR_NOMEM, "import");
	im->dry = o->dry_run;
	if (fill_record(im, o, err) == -1)
		goto fail;
	if (!im->dry && import_record_load(&earlier, host->store, im->destination, &none) == 0)
		take_up_downloads(im, &earlier);
	import_record_free(&earlier);
	if (import_save(im) == -1) {
		(void)err_set(err, ERR_IO, "the store cannot be written");
		goto fail;
	}
	*im_r = im;
	return 0;
fail:
	import_free(&im);
	return -1;
}

int
import_resume(struct import **im_r, const struct import_host *host, const struct import_options *o, struct err *err)
{
	struct import	*im = import_new(host, o);
	char		 hash[17];

	if (im == NULL)
		return err_set(err, ERR_NOMEM, "import");
	memcpy(hash, im->rec.url_hash, sizeof(hash));
	if (import_record_load(&im->rec, host->store, im->destination, err) == -1)
		goto fail;
	if (!import_record_is_open(&im->rec) || strcmp(hash, im->rec.url_hash) != 0) {
		(void)err_set(err, ERR_CONFLICT, "the import on record of %s is over, or was for another URL", im->destination);
		goto fail;
	}
	im->resumed = im->rec.state != IMPORT_EXPORTING;
	log_info(&im->log, "the import into %s goes on where it was: %s", im->destination, import_state_name(im->rec.state));
	*im_r = im;
	return 0;
fail:
	import_free(&im);
	return -1;
}

void
import_go(struct import *im)
{
	struct err	 err = { 0 };

	if (im->phase != PH_WAITING)
		return;
	if (!im->resumed && !im->tested)
		test_destination(im);
	else if (!im->resumed)
		fetch_schemas(im);
	else if (import_recall_schemas(im, &err) == -1)
		fail(im, &err);
	else
		tables_are_known(im);
}

bool
import_cancel(struct import *im)
{
	if (im->phase == PH_ENDING || im->phase == PH_OVER)
		return false;
	import_stop(im, IMPORT_CANCELLED, "cancelled");
	return true;
}

void
import_free(struct import **imp)
{
	struct import	*im = *imp;

	*imp = NULL;
	if (im == NULL)
		return;
	if (im->unsaved)
		(void)import_save(im);
	oneshot_cancel(&im->oneshot);
	http_cancel(&im->schema_call);
	export_free(&im->export);
	load_free(im);
	ev_timer_stop(im->host.loop, &im->timer);
	ev_timer_stop(im->host.loop, &im->save);
	ev_timer_stop(im->host.loop, &im->over);
	import_files_free(im);
	import_record_free(&im->rec);
	free(im->destination);
	free_wiped(im->url);
	free(im->update_strategy);
	free(im->rules);
	free(im->session);
	free(im->api_url);
	free_wiped(im->token);
	free(im);
}

/* --- the picture of it --- */

void
import_progress(const struct import *im, struct import_progress *p)
{
	double	 seconds = im->loading_since == 0 ? 0 : (double)(mono_now() - im->loading_since) / 1000.0, part;

	*p = (struct import_progress){ .phase = phase_names[im->phase], .export_id = im->rec.export_id == NULL ? "" : im->rec.export_id,
	    .trouble = im->trouble, .dir = im->rec.own_dir && im->rec.dir != NULL ? im->rec.dir : "", .started_ms = im->rec.started_ms,
	    .tables = im->rec.n_tables, .tables_exported = im->tables_exported, .files = im->n_files, .files_done = im->n_done,
	    .rows = im->rec.rows, .rejected = im->rec.rejected, .skipped = im->rec.skipped, .left_ms = -1,
	    .pid = im->process == NULL ? 0 : process_pid(im->process) };
	for (size_t i = 0; i < im->n_files; i++) {
		const struct import_file *f = &im->files[i];

		p->rows += f->state == FILE_SENT ? f->rows - f->rejected - f->skipped : 0;
		p->skipped += f->skipped;
		p->bytes += f->bytes;
	}
	if (im->phase != PH_LOADING || seconds < 1.0)
		return;
	p->rows_per_s = (double)(p->rows - im->rows_before) / seconds;
	/* Files are of about one size: how many are done tells how long the rest takes. */
	part = im->n_files == 0 ? 0 : (double)im->n_done / (double)im->n_files;
	if (part > 0)
		p->left_ms = (int64_t)(seconds * (1.0 - part) / part * 1000.0);
}

bool
import_dry(const struct import *im)
{
	return im->dry;
}
