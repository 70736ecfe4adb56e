/*
 * NATS creds files: the decorated text to a JWT and a seed, the JWT to a server,
 * a session and companies.  The file comes from HQ or from the operator, so
 * nothing in it is believed before its signature fits.
 */

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "supervisor/upstream/creds.h"
#include "supervisor/upstream/nkey.h"

#define CREDS_MAX	(256 * 1024)

/* What the file holds, as views of it. */
struct creds_text {
	struct slice	 jwt;
	struct slice	 seed;		/* absent for a bare JWT */
};

/* Three dashes or more at both ends, as in "-----BEGIN NATS USER JWT-----". */
static bool
is_fence(struct slice line)
{
	return line.n >= 6 && memcmp(line.p, "---", 3) == 0 && memcmp(line.p + line.n - 3, "---", 3) == 0;
}

static bool
next_line(struct slice *rest, struct slice *line_r)
{
	do {
		if (!slice_cut(rest, '\n', line_r))
			return false;
		*line_r = slice_trim(*line_r);		/* CR goes with the blanks */
	} while (line_r->n == 0);
	return true;
}

/* The next line that stands alone between two fences. */
static bool
next_block(struct slice *rest, struct slice *text_r)
{
	struct slice	 line, text, end;

	while (next_line(rest, &line)) {
		struct slice ahead;

		if (!is_fence(line))
			continue;
		ahead = *rest;
		if (!next_line(&ahead, &text) || is_fence(text) || !next_line(&ahead, &end) || !is_fence(end))
			continue;
		*rest = ahead;
		*text_r = text;
		return true;
	}
	return false;
}

static int
split_file(struct creds_text *t, struct slice file, struct err *err)
{
	struct slice	 rest = file;

	*t = (struct creds_text){ { NULL, 0 }, { NULL, 0 } };
	if (file.n > CREDS_MAX)
		return err_set(err, ERR_INVALID, "the credential is larger than %d bytes", CREDS_MAX);
	if (!next_block(&rest, &t->jwt)) {
		t->jwt = slice_trim(file);
		if (t->jwt.n == 0)
			return err_set(err, ERR_INVALID, "the credential is empty");
		return 0;
	}
	if (!next_block(&rest, &t->seed))
		return err_set(err, ERR_INVALID, "the credential has a JWT but no seed block after it");
	return 0;
}

/* One base64url part of the JWT as a JSON object; NULL and *err when it is none. */
static json_t *
part_json(struct slice part, const char *what, struct err *err)
{
	struct buf	 text = { 0 };
	json_t		*root = NULL;

	if (!buf_unbase64url(&text, part))
		(void)err_set(err, ERR_INVALID, "the credential's JWT %s is not base64url", what);
	else if ((root = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, NULL)) == NULL ||
	    !json_is_object(root)) {
		json_decref(root);
		root = NULL;
		(void)err_set(err, ERR_INVALID, "the credential's JWT %s is not a JSON object", what);
	}
	buf_free(&text);
	return root;
}

static struct slice
claim(const json_t *object, const char *name)
{
	return slice_of(json_string_value(json_object_get(object, name)));
}

static bool
is_text(struct slice s, const char *any_case)
{
	size_t	 n = strlen(any_case);

	for (size_t i = 0; i < s.n && i < n; i++)
		if ((s.p[i] | 0x20) != (any_case[i] | 0x20))
			return false;
	return s.n == n;
}

/* The signature covers the claims alone (version 1) or "header.claims" (version 2): the algorithm's name says. */
static int
check_signature(const json_t *header, const json_t *claims, struct slice parts[3], struct err *err)
{
	struct slice	 alg = claim(header, "alg"), covered;
	struct buf	 sig = { 0 };
	uint8_t		 key[NKEY_BYTES];
	int		 rc = -1;

	if (!is_text(claim(header, "typ"), "jwt"))
		return err_set(err, ERR_INVALID, "the credential's header does not say that it is a JWT");
	if (slice_is(alg, "ed25519"))
		covered = parts[1];
	else if (slice_is(alg, "ed25519-nkey"))
		covered = (struct slice){ parts[0].p, parts[0].n + 1 + parts[1].n };
	else
		return err_set(err, ERR_INVALID, "the credential's JWT is not signed with a NATS key (ed25519)");
	if (!nkey_public(claim(claims, "iss"), NKEY_ACCOUNT, key))
		return err_set(err, ERR_INVALID, "the credential was not issued by a NATS account");
	if (!buf_unbase64url(&sig, parts[2]) || sig.oom || !nkey_verify(key, covered, buf_slice(&sig)))
		(void)err_set(err, ERR_INVALID, "the credential's signature does not fit: it is damaged or was altered");
	else
		rc = 0;
	buf_free(&sig);
	return rc;
}

/* Kind of the claims: version 2 has it in `nats`, version 1 beside it. */
static int
check_user(const json_t *claims, const json_t *nats, struct slice seed, struct err *err)
{
	struct slice	 kind = claim(nats, "type");
	uint8_t		 user[NKEY_BYTES], own[NKEY_BYTES], raw[NKEY_BYTES];
	bool		 ok;

	if (kind.n == 0)
		kind = claim(claims, "type");
	if (!slice_is(kind, "user") || !nkey_public(claim(claims, "sub"), NKEY_USER, user))
		return err_set(err, ERR_INVALID, "the credential is not that of a NATS user");
	if (seed.p == NULL)
		return 0;
	if (!nkey_seed(seed, NKEY_USER, raw))
		return err_set(err, ERR_INVALID, "the credential's seed is not that of a NATS user: it is damaged");
	ok = nkey_seed_to_public(raw, own) && memcmp(own, user, sizeof(own)) == 0;
	OPENSSL_cleanse(raw, sizeof(raw));
	return ok ? 0 : err_set(err, ERR_INVALID, "the credential's seed does not belong to its JWT");
}

/* `prefix`, an id of [a-f0-9-], a dot. */
static struct slice
id_after(struct slice subject, struct slice prefix)
{
	size_t	 n = prefix.n;

	if (subject.n < n || memcmp(subject.p, prefix.p, n) != 0)
		return (struct slice){ NULL, 0 };
	while (n < subject.n && ((subject.p[n] >= 'a' && subject.p[n] <= 'f') ||
	    (subject.p[n] >= '0' && subject.p[n] <= '9') || subject.p[n] == '-'))
		n++;
	if (n == prefix.n || n == subject.n || subject.p[n] != '.')
		return (struct slice){ NULL, 0 };
	return (struct slice){ subject.p + prefix.n, n - prefix.n };
}

struct slice
creds_company_of(struct slice subject)
{
	return id_after(subject, SLICE("dbchange.*.*."));
}

struct slice
creds_session_of(struct slice subject)
{
	return id_after(subject, SLICE("eds.notify."));
}

static int
read_subjects(struct creds *c, const json_t *nats, struct err *err)
{
	const json_t	*allow = json_object_get(json_object_get(nats, "sub"), "allow");
	size_t		 i, n = 0;
	json_t		*item;

	if ((c->company_ids = calloc(json_array_size(allow) + 1, sizeof(*c->company_ids))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the credential's companies");
	json_array_foreach(allow, i, item) {
		struct slice subject = slice_of(json_string_value(item)), id;

		if ((id = creds_session_of(subject)).p != NULL) {
			free(c->session_id);
			if ((c->session_id = slice_dup(id)) == NULL)
				return err_set(err, ERR_NOMEM, "no memory for the credential's session");
		} else if ((id = creds_company_of(subject)).p != NULL) {
			if ((c->company_ids[n++] = slice_dup(id)) == NULL)
				return err_set(err, ERR_NOMEM, "no memory for the credential's companies");
		}
	}
	if (n == 0)
		return err_set(err, ERR_INVALID, "the credential allows no company's events (no dbchange.*.*.<company>. subject)");
	return 0;
}

static int
read_claims(struct creds *c, const json_t *claims, struct slice seed, struct err *err)
{
	const json_t	*nats = json_object_get(claims, "nats"), *exp = json_object_get(claims, "exp");
	struct slice	 name = claim(claims, "name");

	if (check_user(claims, nats, seed, err) != 0)
		return -1;
	if (name.n == 0)
		return err_set(err, ERR_INVALID, "missing server id in credential");
	c->expires_at = json_integer_value(exp);
	if ((c->server_id = slice_dup(name)) == NULL || (c->session_id = slice_dup(SLICE(""))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the credential");
	return read_subjects(c, nats, err);
}

int
creds_parse(struct creds *c, struct slice file, struct err *err)
{
	struct creds_text	 text;
	struct slice		 rest, parts[3], more;
	json_t			*header = NULL, *claims = NULL;
	int			 rc = -1;

	*c = (struct creds){ 0 };
	if (split_file(&text, file, err) != 0)
		return -1;
	rest = text.jwt;
	if (!slice_cut(&rest, '.', &parts[0]) || !slice_cut(&rest, '.', &parts[1]) ||
	    !slice_cut(&rest, '.', &parts[2]) || slice_cut(&rest, '.', &more))
		return err_set(err, ERR_INVALID, "the credential holds no JWT (three parts with dots between)");
	if ((header = part_json(parts[0], "header", err)) == NULL ||
	    (claims = part_json(parts[1], "claims part", err)) == NULL ||
	    check_signature(header, claims, parts, err) != 0 || read_claims(c, claims, text.seed, err) != 0)
		goto out;
	if ((c->jwt = slice_dup(text.jwt)) == NULL || (text.seed.p != NULL && (c->seed = slice_dup(text.seed)) == NULL)) {
		(void)err_set(err, ERR_NOMEM, "no memory for the credential");
		goto out;
	}
	rc = 0;
out:
	json_decref(header);
	json_decref(claims);
	if (rc != 0)
		creds_free(c);
	return rc;
}

void
creds_free(struct creds *c)
{
	if (c->seed != NULL)
		OPENSSL_cleanse(c->seed, strlen(c->seed));
	free(c->seed);
	free(c->jwt);
	free(c->server_id);
	free(c->session_id);
	for (size_t i = 0; c->company_ids != NULL && c->company_ids[i] != NULL; i++)
		free(c->company_ids[i]);
	free(c->company_ids);
	*c = (struct creds){ 0 };
}
