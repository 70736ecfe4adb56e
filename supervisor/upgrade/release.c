/* From a version to programs on this machine: fetched, verified, unpacked. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/hq/http.h"
#include "supervisor/upgrade/release.h"

#define FETCH_MS	600000

extern char	**environ;

/* One download under way: everything lies in a folder of its own until the end. */
struct work {
	const struct release	*release;
	const char		*version;	/* without v */
	char			*dir;
	struct err		*err;
};

static const char *
without_v(const char *version)
{
	return version[0] == 'v' ? version + 1 : version;
}

bool
release_version_is_fit(const char *version)
{
	const char	*v = without_v(version);
	size_t		 n = strlen(v);

	return n > 0 && n <= 40 && v[0] >= '0' && v[0] <= '9' &&
	    strspn(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

int
release_version_compare(const char *a, const char *b)
{
	a = without_v(a);
	b = without_v(b);
	for (;;) {
		char		*enda, *endb;
		unsigned long	 x = strtoul(a, &enda, 10), y = strtoul(b, &endb, 10);

		if (enda == a || endb == b)
			return (enda != a) - (endb != b);
		if (x != y)
			return x < y ? -1 : 1;
		if (*enda != '.' || *endb != '.')
			return (*enda == '.') - (*endb == '.');
		a = enda + 1;
		b = endb + 1;
	}
}

/* --- files --- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
release_remove(const char *path, struct err *err)
{
	struct stat	 st;

	if (lstat(path, &st) == -1 && errno == ENOENT)
		return 0;
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ? 0 : err_sys(err, "cannot remove %s", path);
}

/* A path within the work folder; it lives until the next call with the same buffer. */
static const char *
within(struct buf *b, const struct work *w, const char *name)
{
	buf_reset(b);
	buf_printf(b, "%s/%s", w->dir, name);
	return buf_cstr(b);
}

static int
write_file(const char *path, struct slice text, struct err *err)
{
	FILE	*f = fopen(path, "wxe");
	bool	 good = f != NULL && fwrite(text.p, 1, text.n, f) == text.n;

	if (f != NULL && fclose(f) != 0)
		good = false;
	return good ? 0 : err_sys(err, "cannot write %s", path);
}

/* --- fetching --- */

struct fetch {
	const char	*path, *url;
	struct err	*err;
	int		 rc;
};

static void
on_answer(void *arg, const struct http_response *r)
{
	struct fetch	*f = arg;

	if (r->status == 200)
		f->rc = write_file(f->path, r->body, f->err);
	else if (r->status == 404)
		(void)err_set(f->err, ERR_NOTFOUND, "there is no such release: %s", f->url);
	else if (r->status == 0)
		(void)err_set(f->err, ERR_TEMPORARY, "%s: %s", f->url, r->err->text);
	else
		(void)err_set(f->err, ERR_TEMPORARY, "%s was answered with status %ld", f->url, r->status);
}

static int
fetch(const char *url, const char *path, struct err *err)
{
	const struct http_request	 request = { .method = "GET", .url = url, .retry = true, .timeout_ms = FETCH_MS,
					    .user_agent_only = true };
	struct fetch			 f = { .path = path, .url = url, .err = err, .rc = -1 };

	return http_wait(&request, on_answer, &f, err) == -1 ? -1 : f.rc;
}

static int
fetch_both(const struct work *w)
{
	const char	*base = w->release->url == NULL ? RELEASE_URL : w->release->url, *arch;
	struct buf	 url = { 0 }, path = { 0 };
	struct utsname	 machine;
	int		 rc = -1;

	if (uname(&machine) == -1)
		return err_sys(w->err, "cannot tell what machine this is");
	arch = strcmp(machine.machine, "aarch64") == 0 ? "arm64" : strcmp(machine.machine, "i686") == 0 ? "i386" : machine.machine;
	buf_printf(&url, "%s/v%s/eds_Linux_%s.tar.gz", base, w->version, arch);
	if (fetch(buf_cstr(&url), within(&path, w, "archive"), w->err) == 0) {
		buf_adds(&url, ".sig");
		rc = fetch(buf_cstr(&url), within(&path, w, "archive.sig"), w->err);
	}
	buf_free(&url);
	buf_free(&path);
	return rc;
}

/* --- helpers of the system --- */

/* The last line of what a program said, for the error. */
static void
last_line(int fd, char *out, size_t size)
{
	char	 part[1024];
	size_t	 kept = 0;
	bool	 ended = false;
	ssize_t	 n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\n') {
				ended = true;
				continue;
			}
			if (ended)
				kept = 0;
			ended = false;
			if (kept + 1 < size)
				out[kept++] = part[i];
		}
	out[kept] = '\0';
}

/* Runs a program to its end; what it says when it fails is in the error. */
static int
run(const char *const *argv, const char *what, struct err *err)
{
	union { const char *const *in; char *const *out; } args = { .in = argv };
	posix_spawn_file_actions_t	 actions;
	char				 said[300] = "";
	int				 fds[2], status = 0, rc;
	pid_t				 pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(err, "%s", what);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, args.out, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[1]);
	if (rc == 0) {
		last_line(fds[0], said, sizeof(said));
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
	}
	(void)close(fds[0]);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, "%s needs the program %s: install it", what, argv[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "%s: %s", what, said[0] == '\0' ? "it failed without a word" : said);
}

/* --- verifying --- */

/* The bytes within an armored key: base64 between the empty line and the checksum. */
static int
dearmor(struct slice text, struct buf *out, struct err *err)
{
	const char	*body = memmem(text.p, text.n, "\n\n", 2), *end;
	struct buf	 base64 = { 0 };
	struct slice	 rest, line;
	int		 rc;

	if (body == NULL || (end = memmem(body, text.n - (size_t)(body - text.p), "\n=", 2)) == NULL)
		return err_set(err, ERR_INVALID, "the public key is not in ASCII armor");
	rest = (struct slice){ body + 2, (size_t)(end - body - 2) };
	while (slice_cut(&rest, '\n', &line))
		buf_adds_slice(&base64, slice_trim(line));
	rc = buf_unbase64(out, buf_slice(&base64)) ? 0 : err_set(err, ERR_INVALID, "the public key is damaged");
	buf_free(&base64);
	return rc;
}

static int
read_key(const struct work *w, struct buf *text)
{
	char	 part[4096];
	FILE	*f;
	size_t	 n;

	if (w->release->key_file == NULL) {
		buf_adds(text, release_public_key);
		return 0;
	}
	if ((f = fopen(w->release->key_file, "re")) == NULL)
		return err_sys(w->err, "cannot read the public key %s", w->release->key_file);
	while ((n = fread(part, 1, sizeof(part), f)) > 0 && text->len < (1u << 20))
		buf_add(text, part, n);
	(void)fclose(f);
	return 0;
}

static int
verify(const struct work *w)
{
	struct buf	 text = { 0 }, key = { 0 }, ring = { 0 }, sig = { 0 }, archive = { 0 };
	const char	*argv[] = { "gpgv", "--homedir", w->dir, "--keyring", NULL, NULL, NULL, NULL };
	int		 rc = -1;

	if (read_key(w, &text) == 0 && dearmor(buf_slice(&text), &key, w->err) == 0 &&
	    write_file(within(&ring, w, "key.gpg"), buf_slice(&key), w->err) == 0) {
		argv[4] = buf_cstr(&ring);
		argv[5] = within(&sig, w, "archive.sig");
		argv[6] = within(&archive, w, "archive");
		rc = run(argv, "the signature of the release is not good", w->err);
	}
	buf_free(&text);
	buf_free(&key);
	buf_free(&ring);
	buf_free(&sig);
	buf_free(&archive);
	return rc;
}

/* --- unpacking --- */

static int
unpack(const struct work *w)
{
	struct buf	 archive = { 0 }, out = { 0 };
	const char	*argv[] = { "tar", "--no-same-owner", "--no-same-permissions", "-xzf", within(&archive, w, "archive"), "-C",
			    within(&out, w, "out"), NULL };
	int		 rc;

	rc = mkdir(argv[6], 0755) == -1 ? err_sys(w->err, "cannot make %s", argv[6]) :
	    run(argv, "the release cannot be unpacked", w->err);
	buf_free(&archive);
	buf_free(&out);
	return rc;
}

static int
put_in_place(const struct work *w, const char *to)
{
	struct buf	 from = { 0 };
	struct stat	 st;
	int		 rc = -1;

	if (lstat(within(&from, w, "out/eds"), &st) == -1 || !S_ISREG(st.st_mode) || chmod(buf_cstr(&from), 0755) == -1) {
		(void)err_set(w->err, ERR_INVALID, "the release holds no program eds");
		goto out;
	}
	if (access(within(&from, w, "out/eds-worker"), F_OK) == 0)
		(void)within(&from, w, "out");		/* all of it */
	else
		(void)within(&from, w, "out/eds");
	if (release_remove(to, w->err) == -1)
		goto out;
	if ((rc = rename(buf_cstr(&from), to)) == -1)
		(void)err_sys(w->err, "cannot put the release into %s", to);
out:
	buf_free(&from);
	return rc;
}

int
release_download(const struct release *release, const char *version, const char *to, struct err *err)
{
	struct work	 w = { .release = release, .version = without_v(version), .err = err };
	struct err	 told = { 0 };
	int		 rc = -1;

	if (!release_version_is_fit(version))
		return err_set(err, ERR_CONFIG, "`%.60s` is no version; write it as 3.0.2", version);
	if (asprintf(&w.dir, "%s.XXXXXX", to) == -1)
		return err_set(err, ERR_NOMEM, "a release");
	if (mkdtemp(w.dir) == NULL)
		(void)err_sys(err, "cannot make a folder beside %s", to);
	else {
		if (fetch_both(&w) == 0 && verify(&w) == 0 && unpack(&w) == 0)
			rc = put_in_place(&w, to);
		(void)!release_remove(w.dir, &told);
	}
	free(w.dir);
	return rc;
}
