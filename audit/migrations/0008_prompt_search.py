"""Searching prompts by their masked words: a text index, and the one function that may use it across the policy.

`@@` is not leakproof, so under row-level security no index serves it. The function runs as the table's owner, asks for
the entered tenant itself, and answers nothing but ids; the owner's policy opens reading for it alone.
"""

from django.db import migrations

from gateway.tenants.isolation import APP_ROLE, CURRENT_TENANT

# `audit.searching` takes the same punctuation out of what is looked for. The first 131,072 characters: the words of
# any more could pass what a text vector may hold, and the prompt would be refused for it.
_WORDS = r"""
ALTER TABLE audit_prompt ADD COLUMN words tsvector GENERATED ALWAYS AS (
    to_tsvector('simple', regexp_replace(left(masked_text, 131072), '[!-/:-@\[-`{-~]+', ' ', 'g'))) STORED;
CREATE INDEX prompt_words ON audit_prompt USING gin (words);
CREATE POLICY prompt_search ON audit_prompt FOR SELECT TO CURRENT_USER USING (true);
"""
_SEARCH = f"""
CREATE FUNCTION audit_search_prompts(tenant uuid, wanted text, of_conversation text, since timestamptz,
    until timestamptz, before_at timestamptz, before_id uuid, most integer)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF tenant IS DISTINCT FROM {CURRENT_TENANT} THEN
        RETURN;
    END IF;
    -- EXECUTE: planned for these very words; a rare one starts at the text index, a common one at the newest prompt.
    RETURN QUERY EXECUTE 'SELECT id FROM public.audit_prompt WHERE tenant_id = $1 AND words @@ to_tsquery(''simple'', $2)
        AND ($3 IS NULL OR conversation = $3)
        AND ($4 IS NULL OR recorded_at >= $4) AND ($5 IS NULL OR recorded_at < $5)
        AND ($6 IS NULL OR recorded_at < $6 OR (recorded_at = $6 AND id < $7))
        ORDER BY recorded_at DESC, id DESC LIMIT $8'
    USING tenant, wanted, of_conversation, since, until, before_at, before_id, most;
END $$;
"""  # noqa: S608  # both parts are constants of ours
_SIGNATURE = "audit_search_prompts(uuid, text, text, timestamptz, timestamptz, timestamptz, uuid, integer)"


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_busy_sessions")]
    operations = [
        migrations.RunSQL(
            _WORDS, "DROP POLICY prompt_search ON audit_prompt; ALTER TABLE audit_prompt DROP COLUMN words"
        ),
        migrations.RunSQL(_SEARCH, f"DROP FUNCTION {_SIGNATURE}"),
        migrations.RunSQL(
            f"REVOKE ALL ON FUNCTION {_SIGNATURE} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {_SIGNATURE} TO {APP_ROLE}",
            migrations.RunSQL.noop,
        ),
    ]
