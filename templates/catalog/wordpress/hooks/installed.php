<?php
/** Ends with 0 when the site is installed, with 1 when it isn't, with 2 when nobody can tell. */

require __DIR__ . '/lib.php';

try {
    exit(installed() ? 0 : 1);
} catch (mysqli_sql_exception $fault) {
    fail($fault->getMessage(), 2);
}
