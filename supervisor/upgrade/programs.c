/* The link programs/current and the trial of what it points to. */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/upgrade/programs.h"
#include "supervisor/upgrade/release.h"

static const char *
path_of(struct buf *b, const char *data_dir, const char *name)
{
	buf_reset(b);
	buf_printf(b, "%s/programs%s%s", data_dir, name[0] == '\0' ? "" : "/", name);
	return buf_cstr(b);
}

/* The version that a link, `current` or `previous`, points to; false when there is none. */
static bool
link_version(const char *data_dir, const char *name, char *out, size_t size)
{
	struct buf	 link = { 0 };
	ssize_t		 n = readlink(path_of(&link, data_dir, name), out, size - 1);

	buf_free(&link);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 && release_version_is_fit(out);
}

/* How often a version on trial has been started; -1: it is not on trial. */
static int
trial_count(const char *data_dir)
{
	struct buf	 path = { 0 };
	FILE		*f = fopen(path_of(&path, data_dir, "trial"), "re");
	int		 n = -1;

	buf_free(&path);
	if (f == NULL)
		return -1;
	if (fscanf(f, "%d", &n) != 1 || n < 0)
		n = PROGRAMS_TRIES;		/* cannot be read: it is over */
	(void)fclose(f);
	return n;
}

static int
trial_write(const char *data_dir, int n, struct err *err)
{
	struct buf	 path = { 0 };
	FILE		*f = fopen(path_of(&path, data_dir, "trial"), "we");
	int		 rc = 0;

	if (f == NULL || fprintf(f, "%d\n", n) < 0 || fflush(f) != 0 || fsync(fileno(f)) != 0)
		rc = err_sys(err, "cannot write %s", buf_cstr(&path));
	if (f != NULL && fclose(f) != 0 && rc == 0)
		rc = err_sys(err, "cannot write %s", buf_cstr(&path));
	buf_free(&path);
	return rc;
}

static void
drop_previous(const char *data_dir)
{
	struct buf	 path = { 0 };

	(void)unlink(path_of(&path, data_dir, "previous"));
	buf_free(&path);
}

void
programs_give_up(const char *data_dir, struct buf *version)
{
	struct buf	 previous = { 0 }, current = { 0 };
	char		 text[PATH_MAX];

	buf_reset(version);
	(void)unlink(path_of(&current, data_dir, "trial"));
	(void)path_of(&current, data_dir, "current");
	if (link_version(data_dir, "previous", text, sizeof(text)) && access(path_of(&previous, data_dir, "previous/eds"), X_OK) == 0 &&
	    rename(path_of(&previous, data_dir, "previous"), buf_cstr(&current)) == 0)
		buf_adds(version, text);
	else
		(void)unlink(buf_cstr(&current));
	drop_previous(data_dir);
	buf_free(&previous);
	buf_free(&current);
}

static bool
is_same_file(const char *a, const char *b)
{
	struct stat	 sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Whether the version is to run: counts the start when it is on trial. */
static bool
may_run(const char *data_dir, const char *version, struct buf *said)
{
	struct err	 err = { 0 };
	int		 n = trial_count(data_dir);

	if (n >= PROGRAMS_TRIES) {
		buf_printf(said, "version %s did not get well in %d starts", version, PROGRAMS_TRIES);
		return false;
	}
	if (n >= 0 && trial_write(data_dir, n + 1, &err) == -1) {
		buf_printf(said, "version %s cannot be tried: %s", version, err.text);
		return false;
	}
	return true;
}

struct slice
programs_choose(const char *data_dir, const char *self, struct buf *path, struct buf *said)
{
	struct buf	 back = { 0 };
	char		 version[PATH_MAX];
	bool		 other = false;

	/* Twice at most: the newest, and the one before it. */
	while (!other && link_version(data_dir, "current", version, sizeof(version)) &&
	    !is_same_file(path_of(path, data_dir, "current/eds"), self)) {
		if (release_version_compare(version, EDS_VERSION) <= 0) {
			buf_printf(said, "version %s from an upgrade is not newer than the installed %s and is forgotten", version, EDS_VERSION);
			drop_previous(data_dir);	/* which is older still */
			programs_give_up(data_dir, &back);
			break;
		}
		if (access(buf_cstr(path), X_OK) != 0)
			buf_printf(said, "version %s from an upgrade cannot be run", version);
		else
			other = may_run(data_dir, version, said);
		if (!other) {
			programs_give_up(data_dir, &back);
			buf_printf(said, "; going back to %s", back.len == 0 ? EDS_VERSION : buf_cstr(&back));
		}
	}
	buf_free(&back);
	return other ? buf_slice(path) : (struct slice){ NULL, 0 };
}

int
programs_folder(const char *data_dir, const char *version, struct buf *path, struct err *err)
{
	if (mkdir(path_of(path, data_dir, ""), 0700) == -1 && errno != EEXIST)
		return err_sys(err, "cannot make %s", buf_cstr(path));
	return release_remove(path_of(path, data_dir, version), err);
}

/* What runs from an upgrade now is what to come back to.  On trial it is not: then what ran before it stays that. */
static int
keep_previous(const char *data_dir, struct err *err)
{
	struct buf	 link = { 0 };
	char		 version[PATH_MAX];
	int		 rc = 0;

	if (trial_count(data_dir) >= 0)
		return 0;
	if (unlink(path_of(&link, data_dir, "previous")) == -1 && errno != ENOENT)
		rc = err_sys(err, "cannot remove the link %s", buf_cstr(&link));
	else if (link_version(data_dir, "current", version, sizeof(version)) && symlink(version, buf_cstr(&link)) == -1)
		rc = err_sys(err, "cannot make the link %s", buf_cstr(&link));
	buf_free(&link);
	return rc;
}

int
programs_switch(const char *data_dir, const char *version, struct err *err)
{
	struct buf	 fresh = { 0 }, link = { 0 };
	int		 rc = -1;

	(void)unlink(path_of(&fresh, data_dir, "current.new"));
	if (symlink(version, buf_cstr(&fresh)) == -1)
		(void)err_sys(err, "cannot make the link %s", buf_cstr(&fresh));
	else if (keep_previous(data_dir, err) == 0 && trial_write(data_dir, 0, err) == 0 &&
	    (rc = rename(buf_cstr(&fresh), path_of(&link, data_dir, "current"))) == -1)
		(void)err_sys(err, "cannot change the link %s", buf_cstr(&link));
	buf_free(&fresh);
	buf_free(&link);
	return rc;
}

struct slice
programs_on_trial(const char *data_dir, const char *self, struct buf *version)
{
	struct buf	 path = { 0 };
	char		 text[PATH_MAX];

	buf_reset(version);
	if (trial_count(data_dir) >= 0 && link_version(data_dir, "current", text, sizeof(text)) &&
	    is_same_file(path_of(&path, data_dir, "current/eds"), self))
		buf_adds(version, text);
	buf_free(&path);
	return version->len == 0 ? (struct slice){ NULL, 0 } : buf_slice(version);
}

int
programs_trust(const char *data_dir, struct err *err)
{
	struct buf	 path = { 0 };
	char		 keep[PATH_MAX];
	DIR		*dir;
	struct dirent	*e;
	int		 rc = 0;

	if (!link_version(data_dir, "current", keep, sizeof(keep)))
		return 0;
	if (unlink(path_of(&path, data_dir, "trial")) == -1 && errno != ENOENT)
		rc = err_sys(err, "cannot remove %s", buf_cstr(&path));
	drop_previous(data_dir);
	dir = opendir(path_of(&path, data_dir, ""));
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (release_version_is_fit(e->d_name) && strcmp(e->d_name, keep) != 0 &&
		    release_remove(path_of(&path, data_dir, e->d_name), err) == -1)
			rc = -1;
	if (dir != NULL)
		(void)closedir(dir);
	buf_free(&path);
	return rc;
}
