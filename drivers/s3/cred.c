/* The chain of places that credentials come from, and when they are fetched again. */

#include <inttypes.h>
#include <stdlib.h>

#include "drivers/s3/cred_private.h"
#include "ipc/base/clock.h"

#define MARGIN_MS	300000
#define PAUSE_MS	10000

const char *
cred_variable(const char *name)
{
	const char	*value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static enum cred_found
of_url(struct cred_chain *c, struct cred *cred, struct err *err)
{
	if (c->options.access_key == NULL || c->options.secret == NULL)
		return CRED_NONE;
	if (cred_set(cred, slice_of(c->options.access_key), slice_of(c->options.secret), slice_of(c->options.token), err) == 0)
		return CRED_FOUND;
	(void)err_prefix(err, "the URL has");
	err->code = ERR_CONFIG;
	return CRED_FAILED;
}

static enum cred_found
of_environment(struct cred_chain *c, struct cred *cred, struct err *err)
{
	const char	*access_key = cred_variable("AWS_ACCESS_KEY_ID"), *secret = cred_variable("AWS_SECRET_ACCESS_KEY");

	(void)c;
	if (access_key == NULL || secret == NULL)
		return CRED_NONE;
	if (cred_set(cred, slice_of(access_key), slice_of(secret), slice_of(cred_variable("AWS_SESSION_TOKEN")), err) == 0)
		return CRED_FOUND;
	(void)err_prefix(err, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	err->code = ERR_CONFIG;
	return CRED_FAILED;
}

/* LocalStack and its like take any key, and shops have configured none. */
static enum cred_found
of_nobody(struct cred_chain *c, struct cred *cred, struct err *err)
{
	if (!c->options.local)
		return CRED_NONE;
	return cred_set(cred, SLICE("test"), SLICE("test"), (struct slice){ 0 }, err) == 0 ? CRED_FOUND : CRED_FAILED;
}

static const struct {
	const char	*name;
	enum cred_found	(*find)(struct cred_chain *, struct cred *, struct err *);
} places[] = {
	{ "the URL", of_url },
	{ "the environment", of_environment },
	{ "a web identity", cred_web_identity },
	{ "the shared files", cred_of_profile },
	{ "the container", cred_container },
	{ "the instance", cred_instance },
	{ "nobody: a service of this machine is given the key id test", of_nobody },
};

static int
find(struct cred_chain *c, struct cred *cred, struct err *err)
{
	for (size_t i = 0; i < NELEM(places); i++)
		switch (places[i].find(c, cred, err)) {
		case CRED_FOUND:
			log_debug(c->options.log, "credentials come from %s", places[i].name);
			return 0;
		case CRED_FAILED:
			return err_prefix(err, "credentials from %s", places[i].name);
		case CRED_NONE:
			break;
		}
	return err_set(err, ERR_CONFIG, "there are no credentials: write access-key-id and secret-access-key into the URL, set "
	    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or have a profile or a role");
}

/* How long before their end they are fetched again: less for those that live shortly. */
static int64_t
margin(const struct cred *cred)
{
	int64_t	 life = cred->expires_ms - cred->obtained_ms, wanted = cred->of_sts ? 2 * MARGIN_MS : MARGIN_MS;

	return wanted < life / 2 ? wanted : life / 2;
}

static bool
is_good(const struct cred *cred, int64_t before_ms)
{
	return cred->access_key != NULL && (cred->expires_ms == 0 || wall_ms() + before_ms < cred->expires_ms);
}

int
cred_get(struct cred_chain *c, const struct cred **cred_r, struct err *err)
{
	struct cred	 fresh = { 0 };
	bool		 usable = !c->doubted && is_good(&c->cred, 0);

	*cred_r = &c->cred;
	if (usable && (is_good(&c->cred, margin(&c->cred)) || mono_now() < c->retry_at_ms))
		return 0;
	if (find(c, &fresh, err) == 0) {
		cred_clear(&c->cred);
		c->cred = fresh;
		c->doubted = false;
		return 0;
	}
	cred_clear(&fresh);
	if (!usable)
		return -1;
	c->retry_at_ms = mono_now() + PAUSE_MS;
	log_warn(c->options.log, "the present credentials are still good for %" PRId64 " s, but there are no newer ones: %s",
	    (c->cred.expires_ms - wall_ms()) / 1000, err->text);
	return 0;
}

void
cred_doubt(struct cred_chain *c)
{
	c->doubted = true;
}

int
cred_chain_new(struct cred_chain **chain_r, const struct cred_options *options, struct err *err)
{
	struct cred_chain	*c = calloc(1, sizeof(*c));
	struct https_options	 h = { .ca_file = options->ca_file, .most_kept = 2, .stopping = options->stopping,
		.ctx = options->ctx };

	if (c == NULL)
		return err_set(err, ERR_NOMEM, "no memory for credentials");
	c->options = *options;
	if (https_new(&c->https, &h, err) != 0)
		goto fail;
	h.direct = true;
	if (https_new(&c->direct, &h, err) != 0)
		goto fail;
	*chain_r = c;
	return 0;
fail:
	cred_chain_free(&c);
	return -1;
}

void
cred_chain_free(struct cred_chain **cp)
{
	struct cred_chain	*c = *cp;

	if (c == NULL)
		return;
	https_free(&c->https);
	https_free(&c->direct);
	cred_clear(&c->cred);
	free(c);
	*cp = NULL;
}
