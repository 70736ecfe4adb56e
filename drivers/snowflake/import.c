/*
 * A whole export: its files go to a stage as they are, from there into tables beside the live ones, and those
 * take the place of the live ones when everything is there.
 *
 * A table made for a job bears the job's name in its comment, and takes it along when it becomes live: so a second
 * import_end(), after a crash in the middle of the first, sees which tables have changed places
 * already and does not change them back.
 */

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/merge.h"
#include "drivers/snowflake/snowflake_private.h"
#include "drivers/snowflake/stage.h"
#include "drivers/sql/quote.h"

#define FILES_MOST	1000		/* that one COPY may name */

struct beside {
	struct sql_schema	*schema;
	char			*side;		/* name of the table beside */
	char			*folder;	/* of its files in the stage */
	struct slice		 version;
	bool			 made, live;	/* the marker stands on the table beside, on the live one */
	bool			 has_live;	/* there is a live table */
};

struct snow_import {
	char		*stage, *marker;
	struct beside	*tables;
	size_t		 n;
	bool		 keep, ending;
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for an import");
	return DRV_RETRY;
}

void
snow_import_free(struct drv *d)
{
	struct snow_import	*im = d->import;

	if (im == NULL)
		return;
	for (size_t i = 0; i < im->n; i++) {
		sql_schema_free(&im->tables[i].schema);
		free(im->tables[i].side);
		free(im->tables[i].folder);
	}
	free(im->tables);
	free(im->stage);
	free(im->marker);
	free(im);
	d->import = NULL;
}

/* --- statements --- */

/* `count` statements of the import; after a failure of unknown outcome they come again. */
static enum drv_result
run(struct drv *d, struct buf *sql, unsigned count, const char *doing, snow_row_fn fn, void *arg, struct err *err)
{
	struct snow_statement	 st = { .sql = buf_slice(sql), .count = count, .doing = doing, .tag = "eds-import",
				    .opening = true };
	enum drv_result		 rc;

	if (sql->oom)
		return nomem(err);
	if ((rc = snow_ready(d, err)) == DRV_STORED)
		rc = snow_run(&d->session, &st, fn, arg, NULL, err);
	buf_reset(sql);
	return rc;
}

static void
add_quoted(struct buf *b, const char *before, const char *name)
{
	buf_printf(b, "%s\"", before);
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_addc(b, '"');
		buf_addc(b, *name);
	}
	buf_addc(b, '"');
}

static void
add_table_ddl(struct buf *b, const struct snow_import *im, const struct beside *t, bool replace)
{
	struct sql_schema	 side = *t->schema;
	struct sql_dialect	 dialect = snow_dialect;
	struct err		 err;

	side.table = slice_of(t->side);
	dialect.create = replace ? "CREATE OR REPLACE TABLE" : "CREATE TABLE IF NOT EXISTS";
	if (sql_ddl_create(b, &dialect, &side, &err) != 0)
		b->oom = true;		/* its names were quoted before, when they were read */
	buf_adds(b, " COMMENT = ");
	snow_literal(b, slice_of(im->marker));
	buf_adds(b, ";\n");
}

/* --- begin --- */

/* The folder must need no quotes in a path. */
static char *
folder_of(struct slice table)
{
	struct buf	 b = { 0 };

	for (size_t i = 0; i < table.n; i++) {
		unsigned char	c = (unsigned char)table.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' )
			buf_addc(&b, (char)c);
		else
			buf_printf(&b, "-%02x", c);
	}
	return buf_steal(&b);
}

static enum drv_result
take_table(struct snow_import *im, const struct drv_import_table *from, struct slice job, struct err *err)
{
	struct beside	*t = &im->tables[im->n];
	struct buf	 side = { 0 }, check = { 0 };
	int		 rc;

	if (sql_schema_parse(&t->schema, from->schema, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	im->n++;
	t->version = t->schema->version;
	buf_printf(&side, "eds_import_" SLICE_FMT "_" SLICE_FMT, SLICE_ARG(job), SLICE_ARG(from->table));
	t->folder = folder_of(from->table);
	if ((t->side = buf_steal(&side)) == NULL || t->folder == NULL)
		return nomem(err);
	rc = sql_ddl_create(&check, &snow_dialect, t->schema, err);
	buf_free(&check);
	return rc == 0 ? DRV_STORED : err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
}

static enum drv_result
take_job(struct drv *d, const struct drv_import *from, struct err *err)
{
	struct snow_import	*im = d->import = calloc(1, sizeof(*im));
	struct buf		 b = { 0 };
	enum drv_result		 rc = DRV_STORED;

	if (im == NULL || (im->tables = calloc(from->ntables + 1, sizeof(*im->tables))) == NULL)
		return nomem(err);
	im->keep = from->keep;
	im->ending = from->ending;
	buf_printf(&b, "eds_import_" SLICE_FMT, SLICE_ARG(from->job));
	im->stage = buf_steal(&b);
	buf_printf(&b, "eds import " SLICE_FMT, SLICE_ARG(from->job));
	im->marker = buf_steal(&b);
	if (im->stage == NULL || im->marker == NULL)
		return nomem(err);
	for (size_t i = 0; i < from->ntables && rc == DRV_STORED; i++)
		rc = take_table(im, &from->tables[i], from->job, err);
	return rc;
}

enum drv_result
snow_import_begin(struct drv *d, const struct drv_import *from, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	snow_import_free(d);
	if ((rc = take_job(d, from, err)) == DRV_STORED && !from->ending) {
		add_quoted(&sql, "CREATE STAGE IF NOT EXISTS ", d->import->stage);
		buf_adds(&sql, " ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE');\n");
		for (size_t i = 0; i < d->import->n; i++)
			add_table_ddl(&sql, d->import, &d->import->tables[i], !from->resumed);
		rc = run(d, &sql, (unsigned)d->import->n + 1, "making the stage and tables of an import", NULL, NULL, err);
	}
	buf_free(&sql);
	if (rc != DRV_STORED)
		snow_import_free(d);
	return rc == DRV_UNSURE ? DRV_RETRY : rc;
}

/* --- files --- */

enum drv_result
snow_import_file(struct drv *d, size_t table, int fd, const char *name, struct err *err)
{
	struct snow_import	*im = d->import;
	struct buf		 path = { 0 };
	struct slice		 content = SLICE("");
	struct stat		 st;
	void			*map = NULL;
	enum drv_result		 rc;

	if (fstat(fd, &st) != 0) {
		err_sys(err, "a file of the export");
		return DRV_RETRY;
	}
	if (st.st_size > 0) {
		if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
			err_sys(err, "a file of the export");
			return DRV_RETRY;
		}
		content = (struct slice){ map, (size_t)st.st_size };
	}
	add_quoted(&path, "@", im->stage);
	buf_printf(&path, "/%s/", im->tables[table].folder);
	if (path.oom)
		rc = nomem(err);
	else if ((rc = snow_ready(d, err)) == DRV_STORED)
		rc = snow_put(&d->session, buf_cstr(&path), name, content, d->spool_dir, err);
	if (map != NULL)
		(void)munmap(map, (size_t)st.st_size);
	buf_free(&path);
	return rc;
}

/* A file is in the stage, for good, once its upload was answered. */
enum drv_result
snow_import_commit(struct drv *d, struct err *err)
{
	(void)d;
	(void)err;
	return DRV_STORED;
}

/* --- loading --- */

/* The files of one table, as LIST has them, quoted for COPY. */
struct listing {
	const struct beside	*table;
	struct buf		 names;		/* 'a', 'b', */
	size_t			 n;
	struct drv		*d;
	struct err		*err;
	enum drv_result		 rc;
};

/* What COPY says of each file. */
static int
check_loaded(void *arg, const struct snow_row *row, struct err *err)
{
	const struct beside	*t = arg;
	struct slice		 status = snow_cell(row, "status");

	if (status.p == NULL || slice_is(status, "LOADED") || slice_is(status, "LOAD_SKIPPED") ||
	    (status.n > 4 && memcmp(status.p, "Copy", 4) == 0))
		return 0;	/* the last: there was nothing left to load */
	return err_set(err, ERR_INVALID, "a file of table \"%s\" was not loaded: " SLICE_FMT, t->schema->table.p, SLICE_ARG(status));
}

static enum drv_result
copy_files(struct drv *d, const struct beside *t, struct buf *names, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	add_quoted(&sql, "COPY INTO ", t->side);
	add_quoted(&sql, " FROM @", d->import->stage);
	buf_printf(&sql, "/%s/ FILES = (", t->folder);
	buf_adds_slice(&sql, buf_slice(names));
	buf_adds(&sql, ") FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE COMPRESSION = AUTO NULL_IF = ()) "
	    "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE PURGE = FALSE ON_ERROR = ABORT_STATEMENT");
	rc = run(d, &sql, 0, "loading the files of an import", check_loaded, (void *)(uintptr_t)t, err);
	buf_free(&sql);
	return rc;
}

/* "stage/folder/name": the name as COPY wants it, behind the folder. */
static int
take_file(void *arg, const struct snow_row *row, struct err *err)
{
	struct listing	*l = arg;
	struct slice	 name = snow_cell(row, "name"), part, rest = name;

	if (!slice_cut(&rest, '/', &part) || !slice_cut(&rest, '/', &part) || !slice_is(part, l->table->folder) || rest.n == 0)
		return err_set(err, ERR_INVALID, "Snowflake lists a file of the stage under a name that is not expected");
	buf_adds(&l->names, l->n++ == 0 ? "" : ", ");
	snow_literal(&l->names, rest);
	buf_addc(&l->names, '\n');
	return 0;
}

/* In runs of as many as one statement may name. */
static enum drv_result
copy_all(struct drv *d, struct listing *l, struct err *err)
{
	struct slice	 rest = buf_slice(&l->names), line;
	struct buf	 part = { 0 };
	enum drv_result	 rc = DRV_STORED;
	size_t		 n = 0;

	while (rc == DRV_STORED && slice_cut(&rest, '\n', &line) && line.n > 0) {
		if (n == 0 && line.n > 2 && line.p[0] == ',')
			line = (struct slice){ line.p + 2, line.n - 2 };
		buf_adds_slice(&part, line);
		if (++n == FILES_MOST) {
			rc = copy_files(d, l->table, &part, err);
			buf_reset(&part);
			n = 0;
		}
	}
	if (rc == DRV_STORED && n > 0)
		rc = part.oom ? nomem(err) : copy_files(d, l->table, &part, err);
	buf_free(&part);
	return rc;
}

static enum drv_result
load(struct drv *d, const struct beside *t, struct err *err)
{
	struct listing	 l = { .table = t };
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	add_quoted(&sql, "LIST @", d->import->stage);
	buf_printf(&sql, "/%s/", t->folder);
	if ((rc = run(d, &sql, 0, "listing the files of an import", take_file, &l, err)) == DRV_STORED)
		rc = l.names.oom ? nomem(err) : copy_all(d, &l, err);
	buf_free(&l.names);
	buf_free(&sql);
	return rc;
}

/* --- taking the place of the live tables --- */

static int
take_marker(void *arg, const struct snow_row *row, struct err *err)
{
	struct snow_import	*im = arg;
	struct slice		 name = snow_cell(row, "TABLE_NAME");

	(void)err;
	for (size_t i = 0; i < im->n; i++) {
		im->tables[i].made |= slice_is(name, im->tables[i].side);
		im->tables[i].live |= slice_eq(name, im->tables[i].schema->table);
	}
	return 0;
}

static enum drv_result
look(struct drv *d, struct err *err)
{
	struct snow_import	*im = d->import;
	struct buf		 sql = { 0 };
	enum drv_result		 rc;

	for (size_t i = 0; i < im->n; i++)
		im->tables[i].made = im->tables[i].live = false;
	buf_adds(&sql, "SELECT table_name AS \"TABLE_NAME\" FROM information_schema.tables WHERE table_catalog = CURRENT_DATABASE() "
	    "AND table_schema = CURRENT_SCHEMA() AND comment = ");
	snow_literal(&sql, slice_of(im->marker));
	if ((rc = run(d, &sql, 0, "looking for the tables of an import", take_marker, im, err)) == DRV_STORED) {
		snow_catalogue_forget(&d->catalogue);
		rc = snow_catalogue_read(&d->catalogue, &d->session, true, err);
	}
	for (size_t i = 0; rc == DRV_STORED && i < im->n; i++)
		im->tables[i].has_live = snow_catalogue_has(&d->catalogue, im->tables[i].schema->table, (struct slice){ NULL, 0 });
	buf_free(&sql);
	return rc;
}

/* The whole table at once. */
static enum drv_result
swap(struct drv *d, const struct beside *t, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	add_quoted(&sql, "ALTER TABLE ", t->side);
	add_quoted(&sql, t->has_live ? " SWAP WITH " : " RENAME TO ", t->schema->table.p);
	rc = run(d, &sql, 0, "putting an imported table in place", NULL, NULL, err);
	buf_free(&sql);
	return rc;
}

static enum drv_result
drop_side(struct drv *d, const struct beside *t, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	add_quoted(&sql, "DROP TABLE IF EXISTS ", t->side);
	rc = run(d, &sql, 0, "dropping a table of an import", NULL, NULL, err);
	buf_free(&sql);
	return rc;
}

/* The live table has all columns; made when there is none. */
static unsigned
add_widening(struct buf *b, const struct drv *d, const struct beside *t)
{
	struct err	 err;
	unsigned	 n = 0;

	if (!t->has_live) {
		b->oom |= sql_ddl_create(b, &snow_dialect, t->schema, &err) != 0;
		buf_adds(b, ";\n");
		return 1;
	}
	for (size_t i = 0; i < t->schema->ncols; i++)
		if (!snow_catalogue_has(&d->catalogue, t->schema->table, t->schema->cols[i].name)) {
			b->oom |= sql_ddl_add(b, &snow_dialect, t->schema, i, &err) != 0;
			buf_adds(b, ";\n");
			n++;
		}
	return n;
}

static void
add_columns(struct buf *b, const struct sql_schema *s, size_t from, const char *before, const char *form)
{
	for (size_t i = from; i < s->ncols; i++) {
		buf_adds(b, i == from ? "" : ", ");
		add_quoted(b, before, s->cols[i].name.p);
		if (form != NULL)
			add_quoted(b, form, s->cols[i].name.p);
	}
}

/* Imported rows replace those of the same key; the others stay. */
static void
add_upsert(struct buf *b, const struct beside *t)
{
	const struct sql_schema	*s = t->schema;

	add_quoted(b, "MERGE INTO ", s->table.p);
	add_quoted(b, " AS t USING ", t->side);
	buf_adds(b, " AS s ON ");
	for (size_t i = 0; i < s->nkeys; i++) {
		add_quoted(b, i == 0 ? "t." : " AND t.", s->cols[i].name.p);
		add_quoted(b, " = s.", s->cols[i].name.p);
	}
	if (s->ncols > s->nkeys) {
		buf_adds(b, "\nWHEN MATCHED THEN UPDATE SET ");
		add_columns(b, s, s->nkeys, "", " = s.");
	}
	buf_adds(b, "\nWHEN NOT MATCHED THEN INSERT (");
	add_columns(b, s, 0, "", NULL);
	buf_adds(b, ") VALUES (");
	add_columns(b, s, 0, "s.", NULL);
	buf_adds(b, ");");
}

static enum drv_result
add_to_live(struct drv *d, const struct beside *t, struct err *err)
{
	struct buf	 sql = { 0 };
	unsigned	 n = add_widening(&sql, d, t);
	enum drv_result	 rc;

	add_upsert(&sql, t);
	rc = run(d, &sql, n + 1, "adding imported rows to a table", NULL, NULL, err);
	buf_free(&sql);
	return rc;
}

static enum drv_result
put_live(struct drv *d, const struct beside *t, struct err *err)
{
	enum drv_result	 rc = DRV_STORED;

	if (t->made && !t->live)
		rc = d->import->keep ? add_to_live(d, t, err) : swap(d, t, err);
	if (rc == DRV_STORED)
		rc = drop_side(d, t, err);
	if (rc == DRV_STORED)
		d->host->table_version(d->host->ctx, t->schema->table, t->version);
	return rc;
}

static enum drv_result
check_made(const struct snow_import *im, struct err *err)
{
	for (size_t i = 0; i < im->n; i++)
		if (!im->tables[i].made && !im->tables[i].live && !im->ending) {
			err_set(err, ERR_CONFLICT, "table \"%s\" of the import was removed by somebody else: import again",
			    im->tables[i].side);
			return DRV_CONFIG;
		}
	return DRV_STORED;
}

static enum drv_result
drop_stage(struct drv *d, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	add_quoted(&sql, "DROP STAGE IF EXISTS ", d->import->stage);
	rc = run(d, &sql, 0, "dropping the stage of an import", NULL, NULL, err);
	buf_free(&sql);
	return rc;
}

/* Everything is loaded before anything changes places: what cannot be loaded leaves all tables as they were. */
enum drv_result
snow_import_end(struct drv *d, struct err *err)
{
	struct snow_import	*im = d->import;
	enum drv_result		 rc = look(d, err);

	if (rc == DRV_STORED)
		rc = check_made(im, err);
	im->ending = true;
	for (size_t i = 0; i < im->n && rc == DRV_STORED; i++)
		if (im->tables[i].made && !im->tables[i].live)
			rc = load(d, &im->tables[i], err);
	for (size_t i = 0; i < im->n && rc == DRV_STORED; i++)
		rc = put_live(d, &im->tables[i], err);
	if (rc == DRV_STORED)
		rc = drop_stage(d, err);
	sql_store_stale(&d->store);
	if (rc == DRV_STORED)
		snow_import_free(d);
	return rc == DRV_UNSURE ? DRV_RETRY : rc;
}

void
snow_import_abort(struct drv *d)
{
	struct buf	 sql = { 0 };
	struct err	 err;

	if (d->import == NULL)
		return;
	for (size_t i = 0; i < d->import->n; i++) {
		add_quoted(&sql, "DROP TABLE IF EXISTS ", d->import->tables[i].side);
		buf_adds(&sql, ";\n");
	}
	add_quoted(&sql, "DROP STAGE IF EXISTS ", d->import->stage);
	buf_addc(&sql, ';');
	if (run(d, &sql, (unsigned)d->import->n + 1, "removing what an import made", NULL, NULL, &err) != DRV_STORED)
		log_warn(d->log, "%s; drop the stage \"%s\" and the tables \"%s_...\" by hand", err.text, d->import->stage,
		    d->import->stage);
	buf_free(&sql);
	snow_import_free(d);
}
