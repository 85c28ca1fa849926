"""Whoever changes no passage waits for nobody: a statement that deletes nothing fires its trigger, too."""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION kb_count_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {first}
    PERFORM pg_advisory_xact_lock(hashtext('kb_terms'));
    INSERT INTO kb_terms AS known (lexeme, passages)
    SELECT lexeme, count(*) * TG_ARGV[0]::int FROM changed, LATERAL (
        VALUES ('*'), ('*' || changed.project || '*' || changed.persona)
        UNION ALL SELECT lexeme FROM unnest(changed.lexemes)
    ) AS word (lexeme) GROUP BY lexeme
    ON CONFLICT (lexeme) DO UPDATE SET passages = known.passages + excluded.passages;
    RETURN NULL;
END $$;
"""
AFTER = FUNCTION.format(first="IF NOT EXISTS (SELECT FROM changed) THEN RETURN NULL; END IF;")
BEFORE = FUNCTION.format(first="")


class Migration(migrations.Migration):

    dependencies = [("knowledge", "0004_scopes")]

    operations = [migrations.RunSQL(AFTER, BEFORE)]
