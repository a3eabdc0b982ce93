-- The role and the database of MLflow, made where they are missing. psql runs it as superuser.
\set password `printenv MLFLOW_DB_PASSWORD`
SET log_min_error_statement = panic; -- no password in the log, whatever happens
SELECT 'CREATE ROLE greenexp LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'greenexp') \gexec
ALTER ROLE greenexp PASSWORD :'password';
SELECT 'CREATE DATABASE greenexp OWNER greenexp'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'greenexp') \gexec
