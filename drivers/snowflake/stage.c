/* What a PUT statement is answered with, and the upload request that follows from it. */

#include <stdlib.h>

#include "drivers/s3/sigv4.h"
#include "drivers/snowflake/stage.h"
#include "ipc/base/json_out.h"

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for an upload to the stage");
}

/* --- the answer --- */

struct field {
	const char	*name;
	size_t		 offset;
};

#define FIELD(name, field)	{ name, offsetof(struct snow_stage, field) }

static const struct field	info_fields[] = {
	FIELD("location", location), FIELD("region", region), FIELD("endPoint", end_point), FIELD("storageAccount", account),
	FIELD("presignedUrl", presigned),
};
static const struct field	cred_fields[] = {
	FIELD("AWS_KEY_ID", key_id), FIELD("AWS_SECRET_KEY", secret), FIELD("AWS_TOKEN", token),
	FIELD("AZURE_SAS_TOKEN", sas), FIELD("GCS_ACCESS_TOKEN", bearer),
};
static const struct field	material_fields[] = {
	FIELD("queryStageMasterKey", master), FIELD("queryId", query_id), FIELD("smkId", smk_id),
};

static char **
field_of(struct snow_stage *s, const struct field *f)
{
	return (char **)(void *)((char *)s + f->offset);
}

static int
read_fields(struct snow_stage *s, const struct json_val *object, const struct field *fields, size_t n, struct err *err)
{
	struct buf	 scratch = { 0 };
	int		 rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct slice text;

		buf_reset(&scratch);
		text = snow_text(object, fields[i].name, &scratch);
		if (text.p != NULL && memchr(text.p, '\0', text.n) != NULL)
			rc = err_set(err, ERR_INVALID, "the stage's address holds a NUL character");
		else if ((*field_of(s, &fields[i]) = slice_dup(text.p == NULL ? SLICE("") : text)) == NULL)
			rc = nomem(err);
	}
	buf_free_wiped(&scratch);
	return rc;
}

static int
read_type(struct snow_stage *s, const struct json_val *info, struct err *err)
{
	static const char *const names[] = { "S3", "AZURE", "GCS", "LOCAL_FS" };
	struct buf	 scratch = { 0 };
	struct slice	 type = snow_text(info, "locationType", &scratch);
	int		 rc = -1;

	for (size_t i = 0; i < NELEM(names); i++)
		if (slice_is(type, names[i])) {
			s->store = (enum snow_store)i;
			rc = 0;
		}
	if (rc != 0)
		err_set(err, ERR_INVALID, "Snowflake's stage lies in a store that this program does not know");
	buf_free(&scratch);
	return rc;
}

static struct json_val
member(const struct json_val *object, const char *name)
{
	return object->type == JV_OBJECT ? json_member(object, name) : (struct json_val){ .type = JV_ABSENT };
}

int
snow_stage_parse(struct snow_stage *s, const struct json_val *data, struct err *err)
{
	struct json_val	 info = member(data, "stageInfo"), creds, material = member(data, "encryptionMaterial"), urls, first;
	struct json_iter it;

	*s = (struct snow_stage){ .store = SNOW_LOCAL };
	if (info.type != JV_OBJECT)
		return err_set(err, ERR_INVALID, "Snowflake's answer to a PUT has no stageInfo");
	creds = member(&info, "creds");
	if (material.type == JV_ARRAY) {	/* that of a GET, and of some PUTs */
		json_iter_init(&it, &material);
		if (!json_array_next(&it, &material))
			material.type = JV_ABSENT;
	}
	if (read_type(s, &info, err) != 0 || read_fields(s, &info, info_fields, NELEM(info_fields), err) != 0 ||
	    read_fields(s, &creds, cred_fields, NELEM(cred_fields), err) != 0 ||
	    read_fields(s, &material, material_fields, NELEM(material_fields), err) != 0)
		goto fail;
	s->regional = snow_is(&info, "useS3RegionalUrl") || snow_is(&info, "useRegionalUrl");
	s->virtual_url = snow_is(&info, "useVirtualUrl");
	urls = member(data, "presignedUrls");
	if (*s->presigned == '\0' && urls.type == JV_ARRAY) {
		json_iter_init(&it, &urls);
		if (json_array_next(&it, &first) && first.type == JV_STRING) {
			struct buf b = { 0 };

			json_unescape(&b, &first);
			free(s->presigned);
			if ((s->presigned = buf_steal(&b)) == NULL) {
				nomem(err);
				goto fail;
			}
		}
	}
	return 0;
fail:
	snow_stage_free(s);
	return -1;
}

static void
free_fields(struct snow_stage *s, const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char	**p = field_of(s, &fields[i]);

		if (*p != NULL)
			explicit_bzero(*p, strlen(*p));
		free(*p);
	}
}

void
snow_stage_free(struct snow_stage *s)
{
	free_fields(s, info_fields, NELEM(info_fields));
	free_fields(s, cred_fields, NELEM(cred_fields));
	free_fields(s, material_fields, NELEM(material_fields));
	*s = (struct snow_stage){ .store = SNOW_LOCAL };
}

/* --- the upload --- */

void
snow_upload_free(struct snow_upload *u)
{
	if (u->text.data != NULL)
		explicit_bzero(u->text.data, u->text.cap);
	if (u->url.data != NULL)
		explicit_bzero(u->url.data, u->url.cap);	/* Azure has its token there */
	buf_free(&u->text);
	buf_free(&u->url);
	u->nlines = 0;
}

static void
add_header(struct snow_upload *u, struct slice name, const char *before, struct slice value)
{
	buf_adds_slice(&u->text, name);
	buf_adds(&u->text, ": ");
	buf_adds(&u->text, before);
	buf_adds_slice(&u->text, value);
	buf_addc(&u->text, '\0');
	u->nlines++;
}

/* "bucket/pre/fix/" to its parts. */
static void
split(const char *location, struct slice *bucket_r, struct slice *prefix_r)
{
	struct slice	 rest = slice_of(location);

	if (!slice_cut(&rest, '/', bucket_r))
		*bucket_r = rest;
	*prefix_r = rest.p == NULL ? SLICE("") : rest;
}

static void
add_path(struct buf *b, struct slice prefix, const char *name)
{
	buf_adds_slice(b, prefix);
	if (prefix.n > 0 && prefix.p[prefix.n - 1] != '/')
		buf_addc(b, '/');
	buf_adds(b, name);
}

/* What the store keeps beside the file, so that whoever reads it can decrypt it. */
static void
material_json(struct buf *b, const struct snow_stage *s, const struct snow_envelope *e)
{
	buf_adds(b, "{\"queryId\":");
	json_out_str(b, slice_of(s->query_id));
	buf_adds(b, ",\"smkId\":");
	json_out_str(b, slice_of(s->smk_id));
	buf_printf(b, ",\"keySize\":\"%u\"}", e->bits);
}

static void
encryption_json(struct buf *b, const struct snow_envelope *e, const char *agent_algorithm)
{
	buf_printf(b, "{\"EncryptionMode\":\"FullBlob\",\"WrappedContentKey\":{\"KeyId\":\"symmKey1\",\"EncryptedKey\":\"%s\","
	    "\"Algorithm\":\"AES_CBC_256\"},\"EncryptionAgent\":{\"Protocol\":\"1.0\",\"EncryptionAlgorithm\":\"%s\"},"
	    "\"ContentEncryptionIV\":\"%s\",\"KeyWrappingMetadata\":{\"EncryptionLibrary\":\"Java 5.3.0\"}}", e->key,
	    agent_algorithm, e->iv);
}

/* S3 signs its headers, so they are made as pairs first. */
static int
make_s3(struct snow_upload *u, const struct snow_stage *s, const char *scheme, const char *name, const char *digest,
    const struct snow_envelope *e, int64_t now_ms, struct err *err)
{
	struct slice		 bucket, prefix;
	struct buf		 host = { 0 }, path = { 0 }, material = { 0 };
	struct sigv4		 sig = { 0 };
	char			 date[17];
	struct sigv4_pair	 h[9];
	size_t			 n = 0;
	struct sigv4_request	 r;
	int			 rc = -1;

	split(s->location, &bucket, &prefix);
	if (*s->end_point != '\0')
		buf_printf(&host, SLICE_FMT ".%s", SLICE_ARG(bucket), s->end_point);
	else
		buf_printf(&host, SLICE_FMT ".s3.%s.amazonaws.com%s", SLICE_ARG(bucket), s->region,
		    strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
	buf_addc(&path, '/');
	add_path(&path, prefix, name);
	sigv4_date(now_ms, date);
	h[n++] = (struct sigv4_pair){ SLICE("content-type"), SLICE("application/octet-stream") };
	h[n++] = (struct sigv4_pair){ SLICE("host"), buf_slice(&host) };
	h[n++] = (struct sigv4_pair){ SLICE("x-amz-content-sha256"), SLICE("UNSIGNED-PAYLOAD") };
	h[n++] = (struct sigv4_pair){ SLICE("x-amz-date"), { date, 16 } };
	h[n++] = (struct sigv4_pair){ SLICE("x-amz-meta-sfc-digest"), slice_of(digest) };
	if (*s->token != '\0')
		h[n++] = (struct sigv4_pair){ SLICE("x-amz-security-token"), slice_of(s->token) };
	if (e != NULL) {
		material_json(&material, s, e);
		h[n++] = (struct sigv4_pair){ SLICE("x-amz-meta-x-amz-iv"), slice_of(e->iv) };
		h[n++] = (struct sigv4_pair){ SLICE("x-amz-meta-x-amz-key"), slice_of(e->key) };
		h[n++] = (struct sigv4_pair){ SLICE("x-amz-meta-x-amz-matdesc"), buf_slice(&material) };
	}
	r = (struct sigv4_request){ .method = "PUT", .path = buf_slice(&path), .headers = h, .n_headers = n,
	    .payload_hash = SLICE("UNSIGNED-PAYLOAD"), .date = date, .region = s->region, .service = "s3",
	    .access_key = s->key_id, .secret = s->secret };
	if (!host.oom && !path.oom && !material.oom && sigv4_sign(&sig, &r)) {
		buf_printf(&u->url, "%s://", scheme);
		buf_adds_slice(&u->url, buf_slice(&host));
		sigv4_path(&u->url, buf_slice(&path));
		for (size_t i = 0; i < n; i++)
			if (!slice_is(h[i].name, "host"))
				add_header(u, h[i].name, "", h[i].value);
		add_header(u, SLICE("Authorization"), "", buf_slice(&sig.authorization));
		rc = 0;
	} else {
		nomem(err);
	}
	sigv4_free(&sig);
	buf_free(&host);
	buf_free(&path);
	buf_free(&material);
	return rc;
}

/* Azure and Google keep the same beside a file, under names of their own. */
static void
add_material(struct snow_upload *u, const struct snow_stage *s, const struct snow_envelope *e, struct slice description,
    struct slice data, const char *agent_algorithm)
{
	struct buf	 text = { 0 };

	if (e == NULL)
		return;
	material_json(&text, s, e);
	add_header(u, description, "", buf_slice(&text));
	buf_reset(&text);
	encryption_json(&text, e, agent_algorithm);
	add_header(u, data, "", buf_slice(&text));
	u->text.oom |= text.oom;
	buf_free(&text);
}

static void
make_azure(struct snow_upload *u, const struct snow_stage *s, const char *scheme, const char *name, const char *digest,
    const struct snow_envelope *e)
{
	const char	*end = strncmp(s->end_point, "blob.", 5) == 0 ? s->end_point + 5 : s->end_point;
	const char	*sas = *s->sas == '?' ? s->sas + 1 : s->sas;
	struct slice	 container, prefix;
	struct buf	 path = { 0 };

	split(s->location, &container, &prefix);
	buf_addc(&path, '/');
	buf_adds_slice(&path, container);
	buf_addc(&path, '/');
	add_path(&path, prefix, name);
	buf_printf(&u->url, "%s://%s.blob.%s", scheme, s->account, end);
	sigv4_path(&u->url, buf_slice(&path));
	buf_printf(&u->url, "?%s", sas);
	add_header(u, SLICE("Content-Type"), "", SLICE("application/octet-stream"));
	add_header(u, SLICE("x-ms-blob-type"), "", SLICE("BlockBlob"));
	add_header(u, SLICE("x-ms-meta-sfcdigest"), "", slice_of(digest));
	add_material(u, s, e, SLICE("x-ms-meta-matdesc"), SLICE("x-ms-meta-encryptiondata"), "AES_CBC_128");
	u->url.oom |= path.oom;
	buf_free(&path);
}

static void
gcs_host(struct buf *b, const struct snow_stage *s, struct slice bucket, bool *in_host)
{
	*in_host = false;
	if (*s->end_point != '\0') {
		buf_adds(b, s->end_point);
	} else if (s->virtual_url) {
		*in_host = true;
		buf_printf(b, SLICE_FMT ".storage.googleapis.com", SLICE_ARG(bucket));
	} else if (s->regional || strcasecmp(s->region, "me-central2") == 0) {
		buf_printf(b, "storage.%s.rep.googleapis.com", s->region);
	} else {
		buf_adds(b, "storage.googleapis.com");
	}
}

static void
make_gcs(struct snow_upload *u, const struct snow_stage *s, const char *scheme, const char *name, const char *digest,
    const struct snow_envelope *e)
{
	struct slice	 bucket, prefix;
	struct buf	 path = { 0 };
	bool		 in_host;

	if (*s->bearer == '\0') {
		buf_adds(&u->url, s->presigned);
	} else {
		split(s->location, &bucket, &prefix);
		buf_printf(&u->url, "%s://", scheme);
		gcs_host(&u->url, s, bucket, &in_host);
		buf_addc(&path, '/');
		if (!in_host) {
			buf_adds_slice(&path, bucket);
			buf_addc(&path, '/');
		}
		add_path(&path, prefix, name);
		sigv4_path(&u->url, buf_slice(&path));
		add_header(u, SLICE("Authorization"), "Bearer ", slice_of(s->bearer));
	}
	add_header(u, SLICE("Content-Type"), "", SLICE("application/octet-stream"));
	add_header(u, SLICE("x-goog-meta-sfc-digest"), "", slice_of(digest));
	add_material(u, s, e, SLICE("x-goog-meta-matdesc"), SLICE("x-goog-meta-encryptiondata"), "AES_CBC_256");
	u->url.oom |= path.oom;
	buf_free(&path);
}

int
snow_upload_make(struct snow_upload *u, const struct snow_stage *s, const char *scheme, const char *name,
    const char *digest, const struct snow_envelope *e, int64_t now_ms, struct err *err)
{
	*u = (struct snow_upload){ .nlines = 0 };
	switch (s->store) {
	case SNOW_S3:
		if (make_s3(u, s, scheme, name, digest, e, now_ms, err) != 0) {
			snow_upload_free(u);
			return -1;
		}
		break;
	case SNOW_AZURE:
		make_azure(u, s, scheme, name, digest, e);
		break;
	case SNOW_GCS:
		make_gcs(u, s, scheme, name, digest, e);
		break;
	case SNOW_LOCAL:
		break;
	}
	if (!u->url.oom && !u->text.oom)
		return 0;
	snow_upload_free(u);
	return nomem(err);
}
