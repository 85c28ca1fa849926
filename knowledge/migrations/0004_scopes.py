"""Counts of passages by scope, and their vectors in the index of scopes."""

from django.db import migrations, models

FUNCTION = """
CREATE OR REPLACE FUNCTION kb_count_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('kb_terms'));
    INSERT INTO kb_terms AS known (lexeme, passages)
    SELECT lexeme, count(*) * TG_ARGV[0]::int FROM changed, LATERAL (
        {counted}
        UNION ALL SELECT lexeme FROM unnest(changed.lexemes)
    ) AS word (lexeme) GROUP BY lexeme
    ON CONFLICT (lexeme) DO UPDATE SET passages = known.passages + excluded.passages;
    RETURN NULL;
END $$;
"""
COUNTS = FUNCTION.format(counted="VALUES ('*'), ('*' || changed.project || '*' || changed.persona)")
BEFORE = FUNCTION.format(counted="VALUES ('*')")

# What it counts of scopes, the function before would leave alone.
PRESENT = """
INSERT INTO kb_terms (lexeme, passages)
SELECT '*' || project || '*' || persona, count(*) FROM kb_embeddings GROUP BY 1;
"""


class Migration(migrations.Migration):

    dependencies = [("knowledge", "0003_usage")]

    operations = [
        migrations.RunSQL(COUNTS, BEFORE),
        migrations.RunSQL(PRESENT, "DELETE FROM kb_terms WHERE lexeme LIKE '*%*%'"),
        migrations.RemoveIndex(model_name="chunk", name="kb_scope"),
        migrations.AddIndex(
            model_name="chunk",
            index=models.Index(
                fields=["embedding_model", "project", "persona"], include=["id", "embedding"], name="kb_scope"
            ),
        ),
    ]
