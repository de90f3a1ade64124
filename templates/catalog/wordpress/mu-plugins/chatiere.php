<?php
/**
 * Plugin Name: Chatière
 * Description: What this site's host takes care of: updates of the core, mail, languages, the way out and the way in from the panel.
 */

defined('ABSPATH') || exit;

require __DIR__ . '/chatiere/accounts.php';
require __DIR__ . '/chatiere/assertion.php';
require __DIR__ . '/chatiere/bundled.php';
require __DIR__ . '/chatiere/claim.php';
require __DIR__ . '/chatiere/core.php';
require __DIR__ . '/chatiere/credentials.php';
require __DIR__ . '/chatiere/entry.php';
require __DIR__ . '/chatiere/languages.php';
require __DIR__ . '/chatiere/made.php';
require __DIR__ . '/chatiere/mail.php';
require __DIR__ . '/chatiere/network.php';
require __DIR__ . '/chatiere/pictures.php';
require __DIR__ . '/chatiere/privacy.php';
require __DIR__ . '/chatiere/rights.php';
