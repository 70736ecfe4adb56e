/* Which tables and files an import consists of. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/hash.h"
#include "ipc/base/url.h"
#include "supervisor/import/export_name.h"
#include "supervisor/import/import_private.h"

#define INCOMPLETE	".incomplete"	/* in a folder that is not the whole export: loading it would lose rows */
#define DEPTH_MAX	8u

size_t
import_table_find(const struct import *im, struct slice table)
{
	for (size_t i = 0; i < im->rec.n_tables; i++)
		if (slice_is(table, im->rec.tables[i].table))
			return i;
	return SIZE_MAX;
}

void
import_files_free(struct import *im)
{
	for (size_t i = 0; i < im->n_files; i++) {
		free(im->files[i].name);
		free(im->files[i].path);
		import_rejects_forget(&im->files[i]);
		free_wiped(im->files[i].url);
	}
	free(im->files);
	im->files = NULL;
	im->n_files = 0;
}

/* --- tables --- */

static int
add_table(struct import *im, const char *table, const json_t *schema, struct err *err)
{
	const char		*version = json_string_value(json_object_get(schema, "modelVersion"));
	struct import_table	*grown = realloc(im->rec.tables, (im->rec.n_tables + 1) * sizeof(*grown)), *t;

	if (grown == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an import");
	im->rec.tables = grown;
	t = &grown[im->rec.n_tables++];
	*t = (struct import_table){ .table = strdup(table), .version = version == NULL ? NULL : strdup(version),
	    .schema = json_dumps(schema, JSON_COMPACT) };
	if (t->table == NULL || t->version == NULL || t->schema == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an import");
	return 0;
}

static bool
schema_is_fit(const json_t *schema)
{
	return json_is_object(json_object_get(schema, "properties")) && json_is_string(json_object_get(schema, "table")) &&
	    json_is_string(json_object_get(schema, "modelVersion"));
}

/* Every table that was selected has to be known before anything happens (hazard H81). */
static int
check_selection(const struct import *im, struct err *err)
{
	for (size_t i = 0; im->rec.only != NULL && im->rec.only[i] != NULL; i++)
		if (import_table_find(im, slice_of(im->rec.only[i])) == SIZE_MAX)
			return err_set(err, ERR_CONFIG, "the table %s is not among those that HQ knows; nothing was changed", im->rec.only[i]);
	return 0;
}

int
import_tables_of_schema(struct import *im, json_t *all, struct err *err)
{
	json_t		*schema;
	const char	*object, *table;
	int		 rc = 0;

	json_object_foreach(all, object, schema) {
		if (rc == -1 || !schema_is_fit(schema))
			continue;
		table = json_string_value(json_object_get(schema, "table"));
		if (im->rec.only == NULL || import_list_has(im->rec.only, slice_of(table)))
			rc = add_table(im, table, schema, err);
	}
	return rc == 0 ? check_selection(im, err) : -1;
}

/* For the next life of this import, which must not depend on HQ. */
int
import_keep_schemas(struct import *im, struct err *err)
{
	int	 rc = store_batch_begin(im->host.store, err);

	if (rc == -1)
		return -1;
	for (size_t i = 0; i < im->rec.n_tables && rc == 0; i++) {
		const struct import_table *t = &im->rec.tables[i];

		rc = store_schema_put(im->host.store, slice_of(t->table), slice_of(t->version), slice_of(t->schema), err);
	}
	return store_batch_commit(im->host.store, err);
}

/* The same as they were when it began. */
int
import_recall_schemas(struct import *im, struct err *err)
{
	for (size_t i = 0; i < im->rec.n_tables; i++) {
		struct import_table *t = &im->rec.tables[i];
		struct buf json = { 0 };

		if (store_schema_get(im->host.store, slice_of(t->table), slice_of(t->version), &json, err) == -1)
			return -1;
		if ((t->schema = buf_steal(&json)) == NULL)
			return err_set(err, ERR_NOMEM, "the tables of an import");
	}
	return 0;
}

/* Tables that turned out not to be part of the export are no part of the import. */
static int
keep_wanted(struct import *im, const bool *wanted, const char *what, struct err *err)
{
	size_t	 n = 0;

	for (size_t i = 0; i < im->rec.n_tables; i++)
		if (!wanted[i] && im->rec.only != NULL)
			return err_set(err, ERR_CONFIG, "%s does not have the table %s; nothing was changed", what, im->rec.tables[i].table);
	/* The files' table numbers stand for what is left. */
	for (size_t f = 0; f < im->n_files; f++) {
		size_t gone = 0;

		for (size_t i = 0; i < im->files[f].table; i++)
			gone += !wanted[i];
		im->files[f].table -= gone;
	}
	for (size_t i = 0; i < im->rec.n_tables; i++) {
		struct import_table t = im->rec.tables[i];

		if (wanted[i]) {
			im->rec.tables[n++] = t;
			continue;
		}
		free(t.table);
		free(t.version);
		free(t.schema);
	}
	im->rec.n_tables = n;
	return n > 0 ? 0 : err_set(err, ERR_CONFIG, "%s holds no table of an export; nothing was changed", what);
}

/* --- files --- */

static struct import_file *
find_file(const struct import *im, const char *name)
{
	for (size_t i = 0; i < im->n_files; i++)
		if (strcmp(im->files[i].name, name) == 0)
			return &im->files[i];
	return NULL;
}

/* Names alike, from different folders: one gets a number behind it, which names may have. */
static char *
own_name(const struct import *im, struct slice file)
{
	struct buf	 name = { 0 };

	buf_adds_slice(&name, file);
	for (unsigned k = 2; find_file(im, buf_cstr(&name)) != NULL; k++) {
		buf_reset(&name);
		buf_adds_slice(&name, file);
		buf_printf(&name, ".%u", k);
	}
	return buf_steal(&name);
}

static int
add_file(struct import *im, const struct export_name *n, size_t table, const char *url, const char *path, struct err *err)
{
	struct import_file	*grown = realloc(im->files, (im->n_files + 1) * sizeof(*grown)), *f;

	if (grown == NULL)
		return err_set(err, ERR_NOMEM, "the files of an import");
	im->files = grown;
	f = &grown[im->n_files];
	*f = (struct import_file){ .table = table, .time_ns = n->time_ns, .state = url == NULL ? FILE_READY : FILE_WANTED };
	f->name = own_name(im, n->file);
	f->url = url == NULL ? NULL : strdup(url);
	f->path = path == NULL ? NULL : strdup(path);
	im->n_files++;
	if (f->name == NULL || (url != NULL && f->url == NULL) || (path != NULL && f->path == NULL))
		return err_set(err, ERR_NOMEM, "the files of an import");
	if (strlen(f->name) > 200)
		return err_set(err, ERR_INVALID, "the export has a file whose name is too long");
	if (import_record_is_done(&im->rec, f->name)) {
		f->state = FILE_DONE;
		im->n_done++;
	}
	if (f->time_ns > im->rec.tables[table].time_ns)
		im->rec.tables[table].time_ns = f->time_ns;
	return 0;
}

static int
add_urls(struct import *im, const struct export_table *t, size_t table, struct err *err)
{
	struct buf	 path = { 0 };
	struct url	 u;
	int		 rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		struct export_name n;

		if (url_parse(&u, slice_of(t->urls[i]), err) == -1) {
			rc = -1;
			break;
		}
		buf_reset(&path);
		buf_adds(&path, u.path);
		url_free(&u);
		if (!export_name_parse(buf_slice(&path), &n))
			rc = err_set(err, ERR_INVALID, "the export has a file whose name has not the form of an export's");
		else
			rc = add_file(im, &n, table, t->urls[i], NULL, err);
	}
	buf_free(&path);
	return rc;
}

int
import_files_of_export(struct import *im, const struct export_table *tables, size_t n, struct err *err)
{
	bool	*wanted = calloc(im->rec.n_tables + 1, sizeof(*wanted));
	int	 rc = wanted == NULL ? err_set(err, ERR_NOMEM, "the tables of an import") : 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t table = import_table_find(im, slice_of(tables[i].table));

		if ((im->rec.only != NULL && !import_list_has(im->rec.only, slice_of(tables[i].table))) ||
		    (table == SIZE_MAX && im->resumed))
			continue;
		if (table == SIZE_MAX) {
			rc = err_set(err, ERR_CONFIG, "the export has the table %s, which HQ has no schema for; nothing was changed",
			    tables[i].table);
			break;
		}
		wanted[table] = true;
		/* A table without files is empty at that time (hazard H25). */
		if (im->rec.tables[table].time_ns == 0)
			im->rec.tables[table].time_ns = tables[i].time_ns;
		rc = add_urls(im, &tables[i], table, err);
	}
	if (rc == 0 && !im->resumed)
		rc = keep_wanted(im, wanted, "the export", err);
	free(wanted);
	return rc;
}

/* --- a folder --- */

struct scan {
	struct import	*im;
	bool		*wanted;
	struct err	*err;
};

static int
scan_entry(struct scan *sc, const char *path, const char *entry)
{
	struct import		*im = sc->im;
	struct export_name	 n;
	size_t			 table;

	if (strcmp(entry, INCOMPLETE) == 0 || strncmp(entry, DOWNLOAD_PART, strlen(DOWNLOAD_PART)) == 0)
		return err_set(sc->err, ERR_CONFIG, "%s holds a download that is not complete, so that rows would be missing; finish it "
		    "with --job-id", path);
	if (!export_name_parse(slice_of(entry), &n) || (im->rec.only != NULL && !import_list_has(im->rec.only, n.table)))
		return 0;
	if ((table = import_table_find(im, n.table)) == SIZE_MAX)
		return err_set(sc->err, ERR_CONFIG, "the file %s is of a table that HQ has no schema for; nothing was changed", path);
	sc->wanted[table] = true;
	return add_file(im, &n, table, NULL, path, sc->err);
}

static int
scan_dir(struct scan *sc, const char *dir, unsigned depth)
{
	struct dirent	**list;
	struct buf	 path = { 0 };
	struct stat	 st;
	int		 n = scandir(dir, &list, NULL, alphasort), rc = 0;

	if (n == -1)
		return err_sys(sc->err, "cannot read the folder %s", dir);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		buf_reset(&path);
		buf_printf(&path, "%s/%s", dir, name);
		if (rc == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, ".DS_Store") != 0 &&
		    stat(buf_cstr(&path), &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
				rc = scan_dir(sc, buf_cstr(&path), depth + 1);
			else if (S_ISREG(st.st_mode))
				rc = scan_entry(sc, buf_cstr(&path), name);
		}
		free(list[i]);
	}
	free(list);
	buf_free(&path);
	return rc;
}

int
import_files_of_dir(struct import *im, struct err *err)
{
	struct scan	 sc = { .im = im, .err = err, .wanted = calloc(im->rec.n_tables + 1, sizeof(bool)) };
	int		 rc;

	if (sc.wanted == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an import");
	rc = scan_dir(&sc, im->rec.dir, 0);
	if (rc == 0 && !im->resumed)
		rc = keep_wanted(im, sc.wanted, im->rec.dir, err);
	free(sc.wanted);
	return rc;
}

/* --- the folder of the downloads --- */

void
import_file_path(const struct import *im, const struct import_file *f, struct buf *path)
{
	if (f->path != NULL)
		buf_adds(path, f->path);
	else
		buf_printf(path, "%s/%s", im->rec.dir, f->name);
}

static void
marker_path(const struct import *im, struct buf *path)
{
	buf_printf(path, "%s/" INCOMPLETE, im->rec.dir);
}

/* HQ's id may hold anything; the folder's name may not. */
static bool
is_plain(const char *id)
{
	for (const char *c = id; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_'))
			return false;
	return id[0] != '\0' && strlen(id) <= 64;
}

int
import_dir_make(struct import *im, struct err *err)
{
	struct buf	 path = { 0 };
	char		 hex[17];
	int		 fd = -1, rc = 0;

	if (im->rec.dir == NULL) {
		hash_hex(slice_of(im->rec.export_id), hex);
		buf_printf(&path, "%s/import-%s-%.8s", im->host.data_dir, is_plain(im->rec.export_id) ? im->rec.export_id : hex,
		    im->rec.job);
		if ((im->rec.dir = buf_steal(&path)) == NULL)
			return err_set(err, ERR_NOMEM, "the download folder");
		im->rec.own_dir = true;
	}
	if (!im->rec.own_dir)
		return 0;
	if (mkdir(im->rec.dir, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "cannot make the download folder %s", im->rec.dir);
	marker_path(im, &path);
	if ((fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == -1)
		rc = err_sys(err, "cannot write to the download folder %s", im->rec.dir);
	else
		(void)close(fd);
	buf_free(&path);
	return rc;
}

void
import_dir_complete(struct import *im)
{
	struct buf	 path = { 0 };

	if (im->rec.own_dir && im->rec.dir != NULL && !im->bounded) {
		marker_path(im, &path);
		(void)unlink(buf_cstr(&path));
	}
	buf_free(&path);
}

void
import_dir_remove(struct import *im)
{
	DIR		*dir;
	struct dirent	*e;

	if (!im->rec.own_dir || im->rec.dir == NULL || (dir = opendir(im->rec.dir)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	(void)closedir(dir);
	if (rmdir(im->rec.dir) == -1)
		log_warn(&im->log, "the download folder %s cannot be removed: %m", im->rec.dir);
}
