/* Reads the commands that the Go server's store consists of. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/takeover/tracker.h"

#define PARTS_MAX	5	/* set key value ae 1720000000 */

/* What stands at the front of the text. */
enum found { COMMAND, CUT_SHORT, NONSENSE };

static void
entry_free(struct tracker_entry *e)
{
	free(e->key);
	free(e->value);
}

void
tracker_free(struct tracker *t)
{
	for (size_t i = 0; i < t->n; i++)
		entry_free(&t->v[i]);
	free(t->v);
	*t = (struct tracker){ 0 };
}

/* "registry:order:version" and "table-export"; the rest, above all schemas and rows' marks, is of no use here. */
static bool
matters(struct slice key)
{
	static const char	 front[] = "registry:", back[] = ":version";
	const size_t		 f = sizeof(front) - 1, b = sizeof(back) - 1;

	return slice_is(key, "table-export") || (key.n > f + b && memcmp(key.p, front, f) == 0 &&
	    memcmp(key.p + key.n - b, back, b) == 0);
}

static struct tracker_entry *
find(const struct tracker *t, struct slice key)
{
	for (size_t i = 0; i < t->n; i++)
		if (slice_is(key, t->v[i].key))
			return &t->v[i];
	return NULL;
}

static void
forget(struct tracker *t, struct slice key)
{
	struct tracker_entry	*e = find(t, key);

	if (e == NULL)
		return;
	entry_free(e);
	*e = t->v[--t->n];
}

static int
keep(struct tracker *t, struct slice key, struct slice value)
{
	struct tracker_entry	*more;

	forget(t, key);
	if (t->n == t->capacity) {
		size_t n = t->capacity == 0 ? 64 : 2 * t->capacity;

		if ((more = realloc(t->v, n * sizeof(*more))) == NULL)
			return -1;
		t->v = more;
		t->capacity = n;
	}
	t->v[t->n] = (struct tracker_entry){ slice_dup(key), slice_dup(value) };
	if (t->v[t->n].key == NULL || t->v[t->n].value == NULL) {
		entry_free(&t->v[t->n]);
		return -1;
	}
	t->n++;
	return 0;
}

/* "*3\r\n" or "$12\r\n"; takes it off the front. */
static enum found
take_count(struct slice *rest, char sign, size_t most, size_t *n_r)
{
	const char	*end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n < 24 ? rest->n : 24);
	uint64_t	 n;

	if (end == NULL)
		return rest->n >= 24 || (rest->n > 0 && rest->p[0] != sign) ? NONSENSE : CUT_SHORT;
	if (rest->p[0] != sign || end - rest->p < 3 || end[-1] != '\r' ||
	    !slice_u64((struct slice){ rest->p + 1, (size_t)(end - rest->p) - 2 }, &n) || n > most)
		return NONSENSE;
	rest->n -= (size_t)(end + 1 - rest->p);
	rest->p = end + 1;
	*n_r = (size_t)n;
	return COMMAND;
}

static enum found
take_text(struct slice *rest, struct slice *part_r)
{
	enum found	 f;
	size_t		 n;

	if ((f = take_count(rest, '$', SIZE_MAX / 2, &n)) != COMMAND)
		return f;
	if (rest->n < n + 2)
		return CUT_SHORT;
	if (rest->p[n] != '\r' || rest->p[n + 1] != '\n')
		return NONSENSE;
	*part_r = (struct slice){ rest->p, n };
	rest->p += n + 2;
	rest->n -= n + 2;
	return COMMAND;
}

static enum found
take_command(struct slice *rest, struct slice parts[PARTS_MAX], size_t *n_r)
{
	enum found	 f = take_count(rest, '*', PARTS_MAX, n_r);

	for (size_t i = 0; f == COMMAND && i < *n_r; i++)
		f = take_text(rest, &parts[i]);
	return f;
}

static bool
is_word(struct slice s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* 0 done, -1 no memory, 1 no such command. */
static int
obey(struct tracker *t, const struct slice *parts, size_t n, int64_t now_s, int64_t written_s)
{
	uint64_t	 expiry = 0;

	if (n == 1 && is_word(parts[0], "flushdb")) {
		tracker_free(t);
		return 0;
	}
	if (n == 2 && is_word(parts[0], "del")) {
		forget(t, parts[1]);
		return 0;
	}
	if ((n != 3 && n != 5) || !is_word(parts[0], "set"))
		return 1;
	if (n == 5 && (!slice_u64(parts[4], &expiry) || expiry > INT64_MAX / 2 ||
	    (!is_word(parts[3], "ae") && !is_word(parts[3], "ex"))))
		return 1;
	if (n == 5 && (int64_t)expiry + (is_word(parts[3], "ex") ? written_s : 0) <= now_s)
		forget(t, parts[1]);
	else if (matters(parts[1]))
		return keep(t, parts[1], parts[2]);
	return 0;
}

int
tracker_parse(struct tracker *t, struct slice text, int64_t now_s, int64_t written_s, struct err *err)
{
	struct slice	 rest = text, parts[PARTS_MAX];
	size_t		 n = 0;

	*t = (struct tracker){ 0 };
	for (;;) {
		const char	*start;
		int		 rc;

		while (rest.n > 0 && rest.p[0] == '\0') {
			rest.p++;
			rest.n--;
		}
		start = rest.p;
		if (rest.n == 0)
			return 0;
		switch (take_command(&rest, parts, &n)) {
		case CUT_SHORT:
			return 0;
		case NONSENSE:
			rc = 1;
			break;
		case COMMAND:
			rc = obey(t, parts, n, now_s, written_s);
			break;
		}
		if (rc == 0)
			continue;
		tracker_free(t);
		return rc == -1 ? err_set(err, ERR_NOMEM, "the Go server's data") :
		    err_set(err, ERR_INVALID, "byte %zu is not the start of a command", (size_t)(start - text.p));
	}
}

int
tracker_load(struct tracker *t, const char *path, struct err *err)
{
	int		 fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct stat	 st;
	void		*map;

	*t = (struct tracker){ 0 };
	if (fd == -1 && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "there is no %s", path);
	if (fd == -1 || fstat(fd, &st) == -1) {
		(void)err_sys(err, "cannot read %s", path);
		if (fd != -1)
			(void)close(fd);
		return -1;
	}
	map = st.st_size == 0 ? NULL : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (map == MAP_FAILED)
		return err_sys(err, "cannot read %s", path);
	if ((rc = tracker_parse(t, (struct slice){ map, (size_t)st.st_size }, wall_ms() / 1000, (int64_t)st.st_mtime, err)) == -1)
		(void)err_prefix(err, "%s", path);
	if (map != NULL)
		(void)munmap(map, (size_t)st.st_size);
	return rc;
}

const char *
tracker_get(const struct tracker *t, const char *key)
{
	const struct tracker_entry	*e = find(t, slice_of(key));

	return e == NULL ? NULL : e->value;
}
