<?php
/**
 * Plugin Name: Chatière
 * Description: What this site's host takes care of: updates of the core, mail, languages and the way out.
 */

defined('ABSPATH') || exit;

require __DIR__ . '/chatiere/bundled.php';
require __DIR__ . '/chatiere/core.php';
require __DIR__ . '/chatiere/languages.php';
require __DIR__ . '/chatiere/mail.php';
require __DIR__ . '/chatiere/network.php';
require __DIR__ . '/chatiere/privacy.php';
