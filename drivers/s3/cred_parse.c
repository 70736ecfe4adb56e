/* What the servers of credentials answer. */

#include <stdlib.h>

#include "drivers/s3/cred_private.h"
#include "drivers/s3/xml.h"
#include "ipc/base/clock.h"
#include "ipc/base/json_scan.h"

/* Printable ASCII: they become part of header lines. */
static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

int
cred_set(struct cred *c, struct slice access_key, struct slice secret, struct slice token, struct err *err)
{
	cred_clear(c);
	if (access_key.n == 0 || secret.n == 0)
		return err_set(err, ERR_INVALID, "credentials without an access key id or a secret access key");
	if (!is_plain(access_key) || !is_plain(secret) || !is_plain(token))
		return err_set(err, ERR_INVALID, "credentials with a character that no key has");
	c->access_key = slice_dup(access_key);
	c->secret = slice_dup(secret);
	c->token = token.n > 0 ? slice_dup(token) : NULL;
	c->obtained_ms = wall_ms();
	if (c->access_key != NULL && c->secret != NULL && (token.n == 0 || c->token != NULL))
		return 0;
	cred_clear(c);
	return err_set(err, ERR_NOMEM, "no memory for credentials");
}

void
cred_clear(struct cred *c)
{
	char	*texts[] = { c->access_key, c->secret, c->token };

	for (size_t i = 0; i < NELEM(texts); i++) {
		if (texts[i] != NULL)
			explicit_bzero(texts[i], strlen(texts[i]));
		free(texts[i]);
	}
	*c = (struct cred){ 0 };
}

static struct slice
member_text(const struct json_val *object, const char *name, struct buf *arena)
{
	struct json_val	 v = json_member(object, name);

	return v.type == JV_STRING ? json_text(&v, arena) : (struct slice){ 0 };
}

static int
set_with_expiry(struct cred *c, struct slice access_key, struct slice secret, struct slice token, struct slice expires,
    struct err *err)
{
	int64_t	 at = 0;

	if (expires.n > 0 && !rfc3339_parse_ms(expires, &at))
		return err_set(err, ERR_INVALID, "credentials whose end cannot be read");
	if (cred_set(c, access_key, secret, token, err) != 0)
		return -1;
	c->expires_ms = at;
	return 0;
}

int
cred_parse_json(struct slice body, struct cred *c, struct err *err)
{
	struct json_val	 root;
	struct buf	 arena = { 0 };
	struct slice	 code;
	int		 rc;

	if (json_scan(body, false, &root, NULL) != 0 || root.type != JV_OBJECT)
		return err_set(err, ERR_INVALID, "an answer that is no JSON object");
	if (!buf_reserve(&arena, body.n))
		return err_set(err, ERR_NOMEM, "no memory for credentials");
	code = member_text(&root, "Code", &arena);
	if (code.p != NULL && !slice_is(code, "Success"))
		rc = err_set(err, ERR_AUTH, "the service of credentials has none for this role");
	else
		rc = set_with_expiry(c, member_text(&root, "AccessKeyId", &arena), member_text(&root, "SecretAccessKey", &arena),
		    member_text(&root, "Token", &arena), member_text(&root, "Expiration", &arena), err);
	explicit_bzero(arena.data, arena.cap);
	buf_free(&arena);
	return rc;
}

int
cred_parse_sts(struct slice body, struct cred *c, struct err *err)
{
	static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration" };
	struct buf	 v[NELEM(names)] = { { 0 } };
	bool		 all = true;
	int		 rc;

	for (size_t i = 0; i < NELEM(names); i++)
		all = xml_text(body, names[i], &v[i]) && !v[i].oom && all;
	if (!all)
		rc = err_set(err, ERR_INVALID, "an answer without credentials");
	else
		rc = set_with_expiry(c, buf_slice(&v[0]), buf_slice(&v[1]), buf_slice(&v[2]), buf_slice(&v[3]), err);
	c->of_sts = rc == 0;
	for (size_t i = 0; i < NELEM(names); i++) {
		if (v[i].data != NULL)
			explicit_bzero(v[i].data, v[i].cap);
		buf_free(&v[i]);
	}
	return rc;
}
