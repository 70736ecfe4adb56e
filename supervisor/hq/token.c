/* Which HQ a token or an enrolment code belongs to. */

#include <jansson.h>

#include "ipc/base/url.h"
#include "supervisor/hq/token.h"

#define API_URL		"https://api.shopmonkey.cloud"
#define LEGACY_ISSUER	"https://shopmonkey.io"

static int
invalid(struct err *err, const char *why)
{
	return err_set(err, ERR_AUTH, "invalid API key. %s", why);
}

static json_t *
part_json(struct slice part, const char *what, struct err *err)
{
	struct buf	 text = { 0 };
	json_t		*root = NULL;

	if (!buf_unbase64url(&text, part))
		(void)err_set(err, ERR_AUTH, "invalid API key. its %s is not base64url", what);
	else if ((root = json_loadb(buf_cstr(&text), text.len, 0, NULL)) == NULL || !json_is_object(root)) {
		json_decref(root);
		root = NULL;
		(void)err_set(err, ERR_AUTH, "invalid API key. its %s is not a JSON object", what);
	}
	buf_free(&text);
	return root;
}

static bool
is_algorithm(const char *alg)
{
	static const char *const known[] = { "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384",
	    "ES512", "PS256", "PS384", "PS512", "EdDSA", "none" };

	for (size_t i = 0; alg != NULL && i < NELEM(known); i++)
		if (strcmp(alg, known[i]) == 0)
			return true;
	return false;
}

static bool
is_audience(const json_t *aud)
{
	size_t	 i;
	json_t	*item;

	if (aud == NULL || json_is_string(aud))
		return true;
	if (!json_is_array(aud))
		return false;
	json_array_foreach(aud, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static int
check_claims(const json_t *claims, struct err *err)
{
	static const char *const strings[] = { "iss", "sub", "jti" }, *const numbers[] = { "exp", "nbf", "iat" };

	for (size_t i = 0; i < NELEM(strings); i++) {
		const json_t *v = json_object_get(claims, strings[i]);

		if (v != NULL && !json_is_string(v))
			return err_set(err, ERR_AUTH, "invalid API key. its claim %s is not a string", strings[i]);
	}
	for (size_t i = 0; i < NELEM(numbers); i++) {
		const json_t *v = json_object_get(claims, numbers[i]);

		if (v != NULL && !json_is_number(v))
			return err_set(err, ERR_AUTH, "invalid API key. its claim %s is not a number", numbers[i]);
	}
	if (!is_audience(json_object_get(claims, "aud")))
		return invalid(err, "its claim aud is neither a string nor a list of strings");
	return 0;
}

int
token_api_url(struct slice token, struct buf *url, struct err *err)
{
	struct slice	 rest = token, parts[3], more;
	json_t		*header = NULL, *claims = NULL;
	const char	*issuer;
	int		 rc = -1;

	if (!slice_cut(&rest, '.', &parts[0]) || !slice_cut(&rest, '.', &parts[1]) || !slice_cut(&rest, '.', &parts[2]) ||
	    slice_cut(&rest, '.', &more))
		return invalid(err, "it is no token: expected three parts with dots between");
	if ((header = part_json(parts[0], "header", err)) == NULL || (claims = part_json(parts[1], "claims part", err)) == NULL)
		goto out;
	if (!is_algorithm(json_string_value(json_object_get(header, "alg")))) {
		(void)invalid(err, "its header names no known signing method");
		goto out;
	}
	if (check_claims(claims, err) != 0)
		goto out;
	issuer = json_string_value(json_object_get(claims, "iss"));
	buf_adds(url, issuer == NULL ? "" : strcmp(issuer, LEGACY_ISSUER) == 0 ? API_URL : issuer);
	rc = 0;
out:
	json_decref(header);
	json_decref(claims);
	return rc;
}

const char *
enrol_api_url(struct slice code)
{
	switch (code.n == 0 ? '\0' : code.p[0]) {
	case 'P':
		return API_URL;
	case 'S':
		return "https://sandbox-api.shopmonkey.cloud";
	case 'E':
		return "https://edge-api.shopmonkey.cloud";
	case 'L':
		return "http://localhost:3101";
	}
	return NULL;
}

void
enrol_url(struct buf *url, const char *api_url, struct slice code)
{
	size_t	 n = strlen(api_url);

	buf_add(url, api_url, n > 0 && api_url[n - 1] == '/' ? n - 1 : n);
	buf_adds(url, "/v3/eds/internal/enroll/");
	url_escape_segment(url, code);
}
