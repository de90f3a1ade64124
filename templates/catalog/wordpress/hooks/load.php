<?php
/** Loads WordPress for a hook; included at the top level, since WordPress wants its globals there. */

require_once __DIR__ . '/lib.php';

pretend_request();
mysqli_report(MYSQLI_REPORT_OFF);
require_once CODE . 'wp-load.php';
