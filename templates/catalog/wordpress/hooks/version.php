<?php
/** Says which code this is, which schema it wants and which schema the database has. */

require __DIR__ . '/lib.php';

$code = code_version();
$schema = installed() ? (int) option('db_version') : null;
print_json([
    'application' => 'wordpress',
    'version' => $code['version'],
    'php' => PHP_VERSION,
    'schema_wanted' => $code['schema'],
    'schema' => $schema,
    'current' => $schema === $code['schema'],
]);
