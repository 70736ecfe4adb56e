/*
 * Files to the worker, as they come: downloads on one side, the worker's
 * process on the other, and between them the list of files.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/handshake.h"
#include "supervisor/import/import_private.h"

#define WITH_WORKER	2u	/* files: one that is loaded, and the next */
#define AHEAD		4u	/* per parallel download, of files that wait on the disk */
#define DAMAGED_MAX	3u
#define REFRESHES_MAX	10u
#define CRASHES_MAX	5u
#define STOP_S		20.0	/* for a worker to remove what it made */

static void
fail(struct import *im, const char *why)
{
	import_stop(im, IMPORT_FAILED, why);
}

/* --- downloads --- */

static void
on_done(void *arg, size_t file, uint64_t bytes)
{
	struct import	*im = arg;

	(void)bytes;
	im->files[file].state = FILE_READY;
	load_advance(im);
}

static void
on_failed(void *arg, size_t file, enum download_trouble trouble, const struct err *err)
{
	struct import	*im = arg;

	if (trouble != DOWNLOAD_STALE || im->export == NULL || im->refreshes >= REFRESHES_MAX) {
		fail(im, err->text);
		return;
	}
	/* Signed addresses go out of date: HQ has new ones. */
	im->files[file].state = FILE_STALE;
	if (!im->refreshing) {
		log_info(&im->log, "%s; asking HQ for new addresses", err->text);
		im->refreshing = true;
		im->refreshes++;
		export_refresh(im->export);
	}
}

void
load_urls_are_fresh(struct import *im, const struct export_table *tables, size_t n)
{
	struct import	 fresh = { .host = im->host, .log = im->log, .resumed = true, .rec = im->rec };
	struct err	 err = { 0 };

	im->refreshing = false;
	fresh.rec.done = NULL;
	if (import_files_of_export(&fresh, tables, n, &err) == -1) {
		import_files_free(&fresh);
		fail(im, err.text);
		return;
	}
	for (size_t i = 0; i < im->n_files; i++)
		for (size_t k = 0; k < fresh.n_files; k++)
			if (im->files[i].state == FILE_STALE && strcmp(im->files[i].name, fresh.files[k].name) == 0) {
				char *old = im->files[i].url;

				im->files[i].url = fresh.files[k].url;
				fresh.files[k].url = old;
				im->files[i].state = FILE_WANTED;
			}
	import_files_free(&fresh);
	load_advance(im);
}

static size_t
count(const struct import *im, enum file_state from, enum file_state to)
{
	size_t	 n = 0;

	for (size_t i = 0; i < im->n_files; i++)
		n += im->files[i].state >= from && im->files[i].state <= to;
	return n;
}

/* As many as the disk is to hold at once. */
static int
fetch_more(struct import *im, struct err *err)
{
	size_t	 most = im->bounded ? (size_t)im->rec.parallel * AHEAD : SIZE_MAX, on_disk = count(im, FILE_FETCHING, FILE_SENT);

	for (size_t i = 0; i < im->n_files && on_disk < most; i++) {
		struct import_file *f = &im->files[i];

		if (f->state != FILE_WANTED)
			continue;
		f->state = FILE_FETCHING;
		on_disk++;
		if (downloads_add(im->downloads, i, f->url, f->name, err) == -1)
			return -1;
	}
	return 0;
}

static void
remove_loaded(struct import *im, const struct import_file *f)
{
	struct buf	 path = { 0 };

	if (im->rec.own_dir) {
		import_file_path(im, f, &path);
		(void)unlink(buf_cstr(&path));
	}
	buf_free(&path);
}

/* --- to the worker --- */

static int
send_file(struct import *im, size_t i, struct err *err)
{
	struct import_file	*f = &im->files[i];
	struct buf		 path = { 0 };
	char			 mvcc[40];
	int			 fd;

	import_file_path(im, f, &path);
	if ((fd = open(buf_cstr(&path), O_RDONLY | O_CLOEXEC)) == -1) {
		(void)err_sys(err, "cannot read %s", buf_cstr(&path));
		buf_free(&path);
		return -1;
	}
	(void)snprintf(mvcc, sizeof(mvcc), "%lld.0000000000", (long long)f->time_ns);
	process_send_fd(im->process, IPC_IMPORT_FILE, &(union ipc_body){ .import_file = { .file = i, .name = slice_of(f->name),
		.table = f->table, .timestamp_ms = f->time_ns / 1000000, .mvcc_timestamp = slice_of(mvcc) } }, fd);
	(void)close(fd);
	f->state = FILE_SENT;
	f->rows = f->rejected = f->skipped = f->bytes = 0;
	im->n_sent++;
	buf_free(&path);
	return 0;
}

static void
send_end(struct import *im)
{
	if (!im->dry) {
		im->rec.state = IMPORT_ENDING;
		if (import_save(im) == -1) {	/* the worker must not begin what is not on record */
			fail(im, "the store cannot be written");
			return;
		}
		log_info(&im->log, "all files are loaded, the tables are made live");
	}
	im->phase = PH_ENDING;
	process_send(im->process, IPC_IMPORT_END, &(union ipc_body){ .empty = { 0 } });
}

void
load_advance(struct import *im)
{
	struct err	 err = { 0 };

	if (im->phase != PH_LOADING)
		return;
	if (im->downloads != NULL && fetch_more(im, &err) == -1) {
		fail(im, err.text);
		return;
	}
	if (count(im, FILE_WANTED, FILE_FETCHING) == 0)
		import_dir_complete(im);
	for (size_t i = 0; im->begun && i < im->n_files && im->n_sent < WITH_WORKER; i++)
		if (im->files[i].state == FILE_READY && send_file(im, i, &err) == -1) {
			fail(im, err.text);
			return;
		}
	if (im->begun && im->n_done == im->n_files)
		send_end(im);
}

static void
on_greeted(void *arg)
{
	struct import	*im = arg;
	struct buf	 dir = { 0 };

	buf_printf(&dir, "%s/destination-%s", im->host.data_dir, im->destination);
	process_send(im->process, IPC_CONFIGURE, &(union ipc_body){ .configure = {
		.destination = slice_of(im->destination), .url = slice_of(im->url),
		.update_strategy = slice_of(im->update_strategy), .session = slice_of(im->session),
		.rules = slice_of(im->rules),
		.data_dir = slice_of(buf_cstr(&dir)), .log_level = (uint64_t)log_level_get(), .queue_events = 1, .queue_bytes = 1,
		.batch_events = im->rec.single ? 1 : 0, .mode = im->dry ? IPC_MODE_IMPORT_DRY : IPC_MODE_IMPORT,
	} });
	buf_free(&dir);
}

static int
send_job(struct import *im, struct err *err)
{
	struct slice	*texts = calloc(3 * im->rec.n_tables + 1, sizeof(*texts));

	if (texts == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an import");
	if (3 * im->rec.n_tables > IPC_STRS_MAX) {
		free(texts);
		return err_set(err, ERR_TOOBIG, "%zu tables are more than one import can have", im->rec.n_tables);
	}
	for (size_t i = 0; i < im->rec.n_tables; i++) {
		texts[3 * i] = slice_of(im->rec.tables[i].table);
		texts[3 * i + 1] = slice_of(im->rec.tables[i].version);
		texts[3 * i + 2] = slice_of(im->rec.tables[i].schema);
	}
	process_send(im->process, IPC_IMPORT, &(union ipc_body){ .import = { .job = slice_of(im->rec.job),
		.tables = { texts, 3 * im->rec.n_tables }, .keep = im->rec.keep, .resumed = im->resumed,
		.ending = im->rec.state == IMPORT_ENDING } });
	free(texts);
	return 0;
}

/* --- what the worker says --- */

static int
hear_ready(struct import *im, const struct ipc_ready_body *b, struct err *err)
{
	if (im->rules[0] == '\0' || b->rules)
		return send_job(im, err);
	im->config_error = true;
	return err_set(err, ERR_CONFIG, HANDSHAKE_NO_RULES);
}

static int
hear_begun(struct import *im)
{
	im->begun = true;
	im->resumed = true;	/* whatever happens from now on */
	if (im->phase == PH_LOADING)
		load_advance(im);
	else if (im->phase == PH_ENDING)
		process_send(im->process, IPC_IMPORT_END, &(union ipc_body){ .empty = { 0 } });
	return 0;
}

/* The file at hand, if it is one of those that the worker has. */
static struct import_file *
sent_file(struct import *im, uint64_t i, struct err *err)
{
	if (i < im->n_files && im->files[i].state == FILE_SENT)
		return &im->files[i];
	(void)err_set(err, ERR_INVALID, "the worker speaks of a file that it was not sent");
	return NULL;
}

static int
hear_progress(struct import *im, const struct ipc_import_progress_body *b, struct err *err)
{
	struct import_file	*f = sent_file(im, b->file, err);

	if (f == NULL)
		return -1;
	f->rows = b->rows;
	f->rejected = b->rejected;
	f->skipped = b->skipped;
	f->bytes = b->bytes;
	return 0;
}

static int
hear_rejected(struct import *im, const struct ipc_import_rejected_body *b, struct err *err)
{
	struct import_file	*f = sent_file(im, b->file, err);

	return f == NULL ? -1 : import_reject(im, f, b, err);
}

static int
file_is_damaged(struct import *im, struct import_file *f, struct slice what)
{
	char	 text[700];

	(void)snprintf(text, sizeof(text), "the file %s is damaged: " SLICE_FMT, f->name, (int)(what.n > 300 ? 300 : what.n), what.p);
	if (f->url == NULL || ++f->damaged >= DAMAGED_MAX) {
		fail(im, text);
		return 0;
	}
	log_warn(&im->log, "%s; it is fetched once more", text);
	remove_loaded(im, f);
	f->state = FILE_WANTED;
	load_advance(im);
	return 0;
}

static int
hear_file_done(struct import *im, const struct ipc_import_file_done_body *b, struct err *err)
{
	struct import_file	*f = sent_file(im, b->file, err);

	if (f == NULL)
		return -1;
	im->n_sent--;
	if (b->damaged.n > 0)
		return file_is_damaged(im, f, b->damaged);
	f->state = FILE_DONE;
	import_rejects_forget(f);
	f->rows = f->rejected = f->skipped = 0;
	f->bytes = b->bytes;
	im->n_done++;
	im->crashes = 0;
	im->rec.rows += b->rows;
	im->rec.skipped += b->skipped;
	log_debug(&im->log, "%s: %llu rows", f->name, (unsigned long long)b->rows);
	if (!im->dry && import_record_add_done(&im->rec, f->name) == -1)
		return err_set(err, ERR_NOMEM, "the record of an import");
	import_save_soon(im);
	if (im->bounded)
		remove_loaded(im, f);
	load_advance(im);
	return 0;
}

static int
hear_ended(struct import *im, struct err *err)
{
	if (im->phase != PH_ENDING)
		return err_set(err, ERR_INVALID, "the worker has ended the import without being told to");
	im->outcome = IMPORT_DONE;
	if (!im->dry) {
		im->rec.state = IMPORT_DONE;
		im->rec.ended_ms = wall_ms();
		im->rec.files = im->n_files;
		import_list_free(&im->rec.done);	/* of no use any more, and long */
		im->rec.n_done = 0;
		/* When this fails the worker's exit leads to another end, which the driver bears. */
		if (import_record_save_live(&im->rec, im->host.store, im->destination, err) == -1) {
			im->rec.state = IMPORT_ENDING;
			im->outcome = IMPORT_FAILED;
			return -1;
		}
	}
	im->phase = PH_OVER;
	return 0;
}

static void
hear_trouble(struct import *im, const struct ipc_trouble_body *b)
{
	bool	 fresh = im->trouble[0] == '\0' && b->reason.n > 0;

	(void)snprintf(im->trouble, sizeof(im->trouble), SLICE_FMT, (int)(b->reason.n > 690 ? 690 : b->reason.n), b->reason.p);
	if (fresh || (b->reason.n > 0 && (b->attempts & (b->attempts - 1)) == 0))
		log_warn(&im->log, "the destination is in trouble and is tried again (attempt %llu): %s", (unsigned long long)b->attempts, im->trouble);
}

/* What it still says about files is of no interest. */
static int
hear_while_stopping(struct import *im, const struct ipc_msg *m, struct err *err)
{
	if (m->type == IPC_READY)
		return send_job(im, err);
	if (m->type == IPC_IMPORT_BEGUN)
		process_send(im->process, IPC_IMPORT_ABORT, &(union ipc_body){ .empty = { 0 } });
	return 0;
}

static int
on_message(void *arg, const struct ipc_msg *m, struct err *err)
{
	struct import	*im = arg;

	im->heard_at = mono_now();
	if (im->phase == PH_STOPPING)
		return hear_while_stopping(im, m, err);
	switch (m->type) {
	case IPC_READY:
		return hear_ready(im, &m->body.ready, err);
	case IPC_IMPORT_BEGUN:
		return hear_begun(im);
	case IPC_IMPORT_PROGRESS:
		return hear_progress(im, &m->body.import_progress, err);
	case IPC_IMPORT_REJECTED:
		return hear_rejected(im, &m->body.import_rejected, err);
	case IPC_IMPORT_FILE_DONE:
		return hear_file_done(im, &m->body.import_file_done, err);
	case IPC_IMPORT_ENDED:
		return hear_ended(im, err);
	case IPC_TABLE_VERSION:
		return 0;	/* recorded with everything else once all is live */
	case IPC_SCHEMA_WANTED:
		process_send(im->process, IPC_SCHEMA, &(union ipc_body){ .schema = { .table = m->body.schema_wanted.table,
			.version = m->body.schema_wanted.version, .status = 2, .json = SLICE("an import brings its schemas") } });
		return 0;
	case IPC_TROUBLE:
		hear_trouble(im, &m->body.trouble);
		return 0;
	case IPC_BROKEN:
		im->config_error = m->body.broken.config;
		(void)snprintf(im->broken, sizeof(im->broken), SLICE_FMT,
		    (int)(m->body.broken.reason.n > 690 ? 690 : m->body.broken.reason.n), m->body.broken.reason.p);
		return 0;
	case IPC_PONG:
		return 0;
	default:
		return err_set(err, ERR_INVALID, "the worker broke the protocol: %s in an import", ipc_type_name(m->type));
	}
}

/* --- its lives --- */

static void	start_worker(struct import *);

static void
on_again(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	start_worker(w->data);
}

/* What it had is to be sent again. */
static void
take_back(struct import *im)
{
	for (size_t i = 0; i < im->n_files; i++)
		if (im->files[i].state == FILE_SENT) {
			im->files[i].state = FILE_READY;
			im->files[i].rows = im->files[i].rejected = im->files[i].skipped = im->files[i].bytes = 0;
		}
	im->n_sent = 0;
	im->begun = false;
	im->trouble[0] = '\0';
}

static void
on_ended(void *arg, const char *why)
{
	struct import	*im = arg;
	char		 text[700];

	process_free(&im->process);
	ev_timer_stop(im->host.loop, &im->ping);
	take_back(im);
	if (im->phase == PH_OVER || im->phase == PH_STOPPING) {
		import_over(im);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s", im->broken[0] != '\0' ? im->broken : why[0] != '\0' ? why : "the worker ended");
	if (im->config_error || ++im->crashes > CRASHES_MAX) {
		fail(im, text);
		return;
	}
	log_warn(&im->log, "%s; the import goes on with another worker", text);
	ev_timer_stop(im->host.loop, &im->timer);
	ev_timer_init(&im->timer, on_again, 0.25 * (double)(1u << im->crashes), 0.);
	im->timer.data = im;
	ev_timer_start(im->host.loop, &im->timer);
}

/* Its main thread answers whatever the driver does, so silence means that the process hangs. */
static void
on_ping(struct ev_loop *loop, ev_timer *w, int events)
{
	struct import	*im = w->data;
	char		 text[100];

	(void)loop;
	(void)events;
	if (mono_now() - im->heard_at <= im->ping_timeout_ms) {
		process_send(im->process, IPC_PING, &(union ipc_body){ .ping = { .nonce = 1 } });
		return;
	}
	(void)snprintf(text, sizeof(text), "the worker did not answer for %lld s and was killed", (long long)im->ping_timeout_ms / 1000);
	process_kill(im->process, text);
}

void
load_init(struct import *im)
{
	ev_init(&im->ping, on_ping);
	im->ping.data = im;
}

static void
start_worker(struct import *im)
{
	const struct process_host	 host = { .arg = im, .loop = im->host.loop, .program = im->host.program,
		.name = im->destination, .greeted = on_greeted, .hear = on_message, .ended = on_ended };
	struct err			 err = { 0 };

	im->config_error = false;
	im->broken[0] = '\0';
	im->heard_at = mono_now();
	im->ping.repeat = (double)im->ping_timeout_ms / 3000.0;
	ev_timer_again(im->host.loop, &im->ping);
	if (process_start(&im->process, &host, &err) == -1) {
		ev_timer_stop(im->host.loop, &im->ping);
		log_warn(&im->log, "%s", err.text);
		fail(im, err.text);	/* unless it is stopping anyway */
	}
}

void
load_begin(struct import *im)
{
	const struct download_events	 on = { .arg = im, .done = on_done, .failed = on_failed };
	struct err			 err = { 0 };

	im->loading_since = mono_now();
	im->rows_before = im->rec.rows;
	if (im->rec.own_dir && downloads_new(&im->downloads, im->host.loop, im->host.http, im->rec.dir, (unsigned)im->rec.parallel,
	    &on, &err) == -1) {
		fail(im, err.text);
		return;
	}
	start_worker(im);
	load_advance(im);
}

static void
on_patience(struct ev_loop *loop, ev_timer *w, int events)
{
	struct import	*im = w->data;

	(void)loop;
	(void)events;
	process_kill(im->process, "the worker did not stop in time");
}

void
load_stop(struct import *im)
{
	downloads_free(&im->downloads);
	ev_timer_stop(im->host.loop, &im->timer);
	if (im->process == NULL && im->resumed && !im->dry) {
		/* The one that made something has died: another one removes it. */
		start_worker(im);
	} else if (im->process != NULL)
		process_send(im->process, IPC_IMPORT_ABORT, &(union ipc_body){ .empty = { 0 } });
	if (im->process == NULL) {
		import_over(im);
		return;
	}
	ev_timer_init(&im->timer, on_patience, STOP_S, 0.);
	im->timer.data = im;
	ev_timer_start(im->host.loop, &im->timer);
}

void
load_free(struct import *im)
{
	downloads_free(&im->downloads);
	process_free(&im->process);
	ev_timer_stop(im->host.loop, &im->ping);
	import_rejects_close(im);
}
