/* AWS's shared files. */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/s3/profile.h"
#include "ipc/base/buf.h"

#define FILE_MOST	((size_t)1 << 20)

static const struct { const char *key; size_t member; } keys[] = {
	{ "aws_access_key_id", offsetof(struct profile, access_key) },
	{ "aws_secret_access_key", offsetof(struct profile, secret) },
	{ "aws_session_token", offsetof(struct profile, token) },
	{ "region", offsetof(struct profile, region) },
	{ "endpoint_url", offsetof(struct profile, endpoint_url) },
	{ "role_arn", offsetof(struct profile, role_arn) },
	{ "role_session_name", offsetof(struct profile, role_session_name) },
	{ "external_id", offsetof(struct profile, external_id) },
	{ "source_profile", offsetof(struct profile, source_profile) },
	{ "web_identity_token_file", offsetof(struct profile, web_identity_token_file) },
	{ "credential_source", offsetof(struct profile, credential_source) },
	{ "credential_process", offsetof(struct profile, credential_process) },
	{ "sso_session", offsetof(struct profile, sso_session) },
	{ "sso_start_url", offsetof(struct profile, sso_start_url) },
};

static char **
member_of(struct profile *p, size_t offset)
{
	return (char **)(void *)((char *)p + offset);
}

/* [name], [profile name], with blanks inside. */
static bool
is_section_of(struct slice line, bool config_file, const char *name)
{
	struct slice	 inner;
	const char	*end = memchr(line.p, ']', line.n);

	if (end == NULL)
		return false;
	inner = slice_trim((struct slice){ line.p + 1, (size_t)(end - line.p) - 1 });
	if (!config_file || (strcmp(name, "default") == 0 && slice_is(inner, "default")))
		return slice_is(inner, name);
	if (inner.n < 8 || memcmp(inner.p, "profile", 7) != 0 || (inner.p[7] != ' ' && inner.p[7] != '\t'))
		return false;
	return slice_is(slice_trim((struct slice){ inner.p + 8, inner.n - 8 }), name);
}

static int
take_line(struct profile *p, struct slice line, struct err *err)
{
	struct slice	 key, value = line;

	if (!slice_cut(&value, '=', &key) || value.p == NULL)
		return 0;
	key = slice_trim(key);
	value = slice_trim(value);
	for (size_t i = 0; i < NELEM(keys); i++) {
		char	**member = member_of(p, keys[i].member);

		if (!slice_is(key, keys[i].key) || *member != NULL || value.n == 0 || memchr(value.p, '\0', value.n) != NULL)
			continue;
		if ((*member = slice_dup(value)) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for a profile");
	}
	return 0;
}

int
profile_parse(struct profile *p, struct slice text, bool config_file, const char *name, struct err *err)
{
	struct slice	 line;
	bool		 ours = false;

	while (slice_cut(&text, '\n', &line)) {
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			ours = is_section_of(line, config_file, name);
			p->found |= ours;
		} else if (ours && line.p[0] != ' ' && line.p[0] != '\t' &&	/* indented lines belong to a nested section */
		    take_line(p, line, err) != 0)
			return -1;
	}
	return 0;
}

int
profile_read_file(const char *path, char **text_r, struct err *err)
{
	struct buf	 b = { 0 };
	int		 fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		 n = 0;

	if (fd == -1)
		return errno == ENOENT ? err_set(err, ERR_NOTFOUND, "%s is not there", path) : err_sys(err, "cannot read %s", path);
	while (buf_reserve(&b, 4096) && b.len <= FILE_MOST && (n = read(fd, b.data + b.len, 4096)) > 0)
		b.len += (size_t)n;
	(void)close(fd);
	if (n == -1)
		(void)err_sys(err, "cannot read %s", path);
	else if (b.len > FILE_MOST)
		n = err_set(err, ERR_TOOBIG, "%s is larger than 1 MiB", path);
	else if ((*text_r = slice_dup(buf_slice(&b))) == NULL || b.oom)
		n = err_set(err, ERR_NOMEM, "no memory for %s", path);
	buf_free_wiped(&b);
	return n == 0 ? 0 : -1;
}

/* The variable's value, or the file in the home directory; "" when there is none. */
static void
path_of(struct buf *b, const char *variable, const char *file)
{
	const char		*path = getenv(variable), *home = getenv("HOME");
	const struct passwd	*pw;

	if (path != NULL && path[0] != '\0') {
		buf_adds(b, path);
		return;
	}
	if ((home == NULL || home[0] == '\0') && (pw = getpwuid(geteuid())) != NULL)
		home = pw->pw_dir;
	if (home != NULL && home[0] != '\0')
		buf_printf(b, "%s/.aws/%s", home, file);
}

static int
load_file(struct profile *p, const char *variable, const char *file, bool config_file, const char *name, struct err *err)
{
	struct buf	 path = { 0 };
	struct err	 why = { 0 };
	char		*text = NULL;
	int		 rc = 0;

	path_of(&path, variable, file);
	if (path.len > 0 && profile_read_file(buf_cstr(&path), &text, &why) != 0) {
		/* without the right to look into the home directory there is no file for us there */
		rc = why.code == ERR_NOTFOUND || getenv(variable) == NULL ? 0 : -1;
		if (rc != 0)
			*err = why;
	} else if (text != NULL)
		rc = profile_parse(p, slice_of(text), config_file, name, err);
	free_wiped(text);
	buf_free(&path);
	return rc;
}

int
profile_load(struct profile *p, const char *name, struct err *err)
{
	*p = (struct profile){ 0 };
	if (load_file(p, "AWS_SHARED_CREDENTIALS_FILE", "credentials", false, name, err) == 0 &&
	    load_file(p, "AWS_CONFIG_FILE", "config", true, name, err) == 0)
		return 0;
	profile_free(p);
	return -1;
}

void
profile_free(struct profile *p)
{
	for (size_t i = 0; i < NELEM(keys); i++) {
		char	**member = member_of(p, keys[i].member);

		if (*member != NULL)
			explicit_bzero(*member, strlen(*member));
		free(*member);
	}
	*p = (struct profile){ 0 };
}
