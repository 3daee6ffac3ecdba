-- Schema 2: when and from where an API key was last used. All three are NULL until it is.
ALTER TABLE api_keys ADD COLUMN used_at BIGINT;
ALTER TABLE api_keys ADD COLUMN used_from TEXT;
ALTER TABLE api_keys ADD COLUMN used_seal BIGINT; -- over id, used_at and used_from: the row's own seal stays as it was made
