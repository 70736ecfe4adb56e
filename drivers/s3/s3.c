/*
 * The S3 driver: one JSON document per change, or rolls of many (s3_roll.c), in a bucket of AWS or
 * a service that speaks the same protocol.  URLs: s3_config.h; keys: s3_key.h.
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/object/object_name.h"
#include "drivers/s3/profile.h"
#include "drivers/s3/s3_private.h"

#define BATCH_EVENTS	2048
#define BATCH_BYTES	((size_t)8 << 20)
#define BATCH_ROUNDS	8		/* events of a batch for each request that may be under way */
#define REGION		"us-west-2"	/* when nobody names one; a bucket elsewhere says so */

static int
s3_validate(const char *url, struct err *err)
{
	struct s3_config	 config;

	if (s3_config_parse(&config, url, err) != 0)
		return -1;
	s3_config_free(&config);
	return 0;
}

static size_t
events_at_once(const struct s3_config *c)
{
	return c->batch != 0 ? c->batch : BATCH_ROUNDS * c->tasks;
}

static void
s3_batching(const char *url, struct drv_batching *b)
{
	struct s3_config	 c;

	if (s3_config_parse(&c, url, NULL) != 0)
		return;				/* open() will say what is wrong */
	if (c.ndjson) {
		b->events = c.roll_events;
		b->bytes = c.roll_bytes;
		b->linger_ms = c.roll_seconds * 1000;
	} else
		b->events = events_at_once(&c);
	s3_config_free(&c);
}

static bool
stopping(void *ctx)
{
	return s3_stopping(ctx);
}

/* Region and endpoint, where neither URL nor environment names them. */
static int
ask_profile(struct drv *drv, struct err *err)
{
	struct s3_config	*c = &drv->config;
	struct profile		 p;
	int			 rc = 0;

	if (c->region != NULL && !c->aws)
		return 0;
	if (profile_load(&p, c->profile != NULL ? c->profile : "default", err) != 0)
		return -1;
	if (c->region == NULL && p.region != NULL && (c->region = slice_dup(slice_of(p.region))) == NULL)
		rc = err_set(err, ERR_NOMEM, "no memory for the region");
	else if (c->aws && p.endpoint_url != NULL)
		rc = s3_config_endpoint(c, p.endpoint_url, "endpoint_url in the profile", err);
	profile_free(&p);
	return rc;
}

static int
set_up(struct drv *drv, struct err *err)
{
	struct s3_config	*c = &drv->config;
	struct https_options	 h;
	struct cred_options	 o;

	if (ask_profile(drv, err) != 0)
		return -1;
	(void)snprintf(drv->region, sizeof(drv->region), "%s", c->region != NULL ? c->region : REGION);
	h = (struct https_options){ .ca_file = c->ca_file, .most_kept = (unsigned)c->tasks, .stopping = stopping, .ctx = drv };
	o = (struct cred_options){ .access_key = c->access_key, .secret = c->secret, .token = c->token,
		.profile = c->profile, .region = c->region != NULL ? c->region : REGION, .ca_file = c->ca_file,
		.local = c->local, .log = drv->env->log, .stopping = stopping, .ctx = drv };
	if (https_new(&drv->https, &h, err) != 0 || cred_chain_new(&drv->creds, &o, err) != 0)
		return -1;
	drv->batch_events = events_at_once(c);
	return s3_upload_new(drv, err);
}

/* What it means, at the start, that a request could not be made at all. */
static enum drv_result
trouble(const struct err *err, enum https_outcome outcome)
{
	return err->code == ERR_CONFIG || err->code == ERR_AUTH || outcome == HTTPS_UNTRUSTED ? DRV_CONFIG : DRV_RETRY;
}

static enum drv_result
call(struct drv *drv, const struct s3_request *r, struct s3_error *e, struct err *err)
{
	enum https_outcome	 outcome = HTTPS_ANSWERED;

	*e = (struct s3_error){ 0 };
	if (s3_call(drv, r, e, &outcome, err) == 0)
		switch (e->fate) {
		case S3_STORED:
			return DRV_STORED;
		case S3_AGAIN:
		case S3_SLOWER:
		case S3_CLOCK:
			return DRV_RETRY;
		default:
			return DRV_CONFIG;
		}
	if (outcome == HTTPS_UNTRUSTED)
		(void)snprintf(err->text + strlen(err->text), sizeof(err->text) - strlen(err->text),
		    "; write ca-file=... into the URL, or set AWS_CA_BUNDLE");
	return trouble(err, outcome);
}

static void
probe_key(struct drv *drv, struct buf *key)
{
	buf_printf(key, "%seds-write-test-%08llx", drv->config.prefix, (unsigned long long)random_below(UINT32_MAX));
}

/* Writes a small object and removes it. */
static enum drv_result
probe(struct drv *drv, struct err *err)
{
	struct buf		 key = { 0 };
	struct s3_request	 put = { .method = "PUT", .body = SLICE("{}\n"), .content_type = "application/json" };
	struct s3_error		 e;
	struct err		 why;
	enum drv_result		 rc;

	probe_key(drv, &key);
	put.key = buf_slice(&key);
	if ((rc = call(drv, &put, &e, err)) == DRV_STORED &&
	    call(drv, &(struct s3_request){ .method = "DELETE", .key = put.key }, &e, &why) != DRV_STORED)
		log_warn(drv->env->log, "the object %s was written as a test and could not be removed, which deliveries need no right "
		    "to: %s", buf_cstr(&key), why.text);
	buf_free(&key);
	return rc;
}

/* The right to list is not needed, and neither is a service that can: then writing tells. */
static bool
listing_is_not_for_us(const struct s3_error *e)
{
	return strcmp(e->code, "AccessDenied") == 0 || strcmp(e->code, "NotImplemented") == 0 ||
	    strcmp(e->code, "MethodNotAllowed") == 0 || (e->code[0] == '\0' && e->status == 403) || e->fate == S3_ODD_REQUEST;
}

/*
 * Asks for one name in the bucket, which tells whether bucket, credentials, region and
 * clock are right, and leaves nothing behind.
 */
static enum drv_result
try_bucket(struct drv *drv, struct err *err)
{
	const struct sigv4_pair	 query[] = { { SLICE("list-type"), SLICE("2") }, { SLICE("max-keys"), SLICE("1") },
		{ SLICE("prefix"), slice_of(drv->config.prefix) } };
	struct s3_error		 e;
	enum drv_result		 rc;

	rc = call(drv, &(struct s3_request){ .method = "GET", .query = query, .n_query = NELEM(query) }, &e, err);
	return rc == DRV_CONFIG && listing_is_not_for_us(&e) ? probe(drv, err) : rc;
}

static void
s3_close(struct drv **drvp)
{
	struct drv	*drv = *drvp;

	if (drv == NULL)
		return;
	https_free(&drv->https);		/* its callbacks know the places of s3_upload.c */
	cred_chain_free(&drv->creds);
	s3_upload_free(drv);
	s3_chain_free(drv);
	s3_import_free(drv);
	s3_cuts_close(&drv->cuts);
	sigv4_free(&drv->sign);
	s3_config_free(&drv->config);
	free(drv->next_event);
	free(drv);
	*drvp = NULL;
}

/* Everything but a request. */
static enum drv_result
prepare(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = calloc(1, sizeof(*drv));
	enum drv_result	 rc = DRV_STORED;

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	drv->env = env;
	if (s3_config_parse(&drv->config, env->url, err) != 0)
		rc = DRV_CONFIG;
	else if (set_up(drv, err) != 0)
		rc = trouble(err, HTTPS_ANSWERED);
	if (rc != DRV_STORED)
		s3_close(&drv);
	*drv_r = drv;
	return rc;
}

static enum drv_result
s3_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = NULL;
	enum drv_result	 rc;

	if ((rc = prepare(&drv, env, err)) != DRV_STORED)
		return rc;
	if (drv->config.odd_retries)
		log_warn(env->log, "max-retries in the URL must be a number from 1 to 100; it is taken for 5");
	if ((rc = try_bucket(drv, err)) == DRV_STORED && drv->config.ndjson &&
	    s3_cuts_open(&drv->cuts, env->data_dir, err) != 0)
		rc = DRV_RETRY;
	if (rc == DRV_STORED) {
		*drv_r = drv;
		drv = NULL;
	}
	s3_close(&drv);
	return rc;
}

static enum drv_result
s3_test(const struct drv_env *env, struct err *err)
{
	struct drv	*drv = NULL;
	enum drv_result	 rc;

	if ((rc = prepare(&drv, env, err)) != DRV_STORED)
		return rc;
	drv->in_a_hurry = true;
	rc = probe(drv, err);
	s3_close(&drv);
	return rc;
}

static void
render(struct drv *drv, const struct s3_job *job, const struct s3_object *o, struct buf *key, struct buf *body)
{
	(void)job;
	if (o->first->path.n > 0)
		s3_key_path(key, slice_of(drv->config.prefix), o->first->path);
	else
		s3_key_event(key, slice_of(drv->config.prefix), o->first->ev, drv->config.unique);
	event_store_json(o->first->ev, body);
}

void
s3_add_events(struct drv *drv, const struct drv_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		const struct drv_event *e = &batch->v[i];
		struct s3_object o = { .first = e, .event = drv->n_objects, .n_events = 1, .id = e->seq };

		/* what the key is made of; with `unique` no other event has it */
		if (e->path.n > 0)
			o.chain[0] = e->path;
		else {
			o.chain[0] = e->ev->table;
			o.chain[1] = e->ev->primary_key;
			o.chain_no = drv->config.unique ? e->seq : (uint64_t)object_name_seconds(e->ev);
		}
		s3_chain_add(drv, &o);
	}
}

enum drv_result
s3_events(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	const struct s3_job	 job = { .content_type = "application/json", .render = render, .flow = batch->flow };
	size_t			 room = batch->flow == NULL ? batch->n : batch->n + 3 * drv->batch_events;

	if (s3_chain_begin(drv, room, &out->err) != 0)
		return DRV_RETRY;
	s3_add_events(drv, batch);
	return s3_upload(drv, &job, out);
}

static enum drv_result
s3_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	return drv->config.ndjson ? s3_roll(drv, batch, out) : s3_events(drv, batch, out);
}

const struct driver driver_s3 = {
	.abi		= DRIVER_ABI,
	.id		= "s3",
	.caps		= DRV_CAP_IDEMPOTENT,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.batching	= s3_batching,
	.validate	= s3_validate,
	.open		= s3_open,
	.deliver	= s3_deliver,
	.test		= s3_test,
	.import_begin	= s3_import_begin,
	.import_rows	= s3_import_rows,
	.import_commit	= s3_import_commit,
	.import_end	= s3_import_end,
	.import_abort	= s3_import_abort,
	.close		= s3_close,
};
