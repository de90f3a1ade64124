<?php
/** WordPress's editor, for one process of the site at a time, and with a bound on what it decodes. */

defined('ABSPATH') || exit;

class Chatiere_Picture_Editor extends WP_Image_Editor_GD
{
    /** Bytes that a decoded picture may take; the limit of the container is 384 MiB (manifest.yaml). */
    private const MOST = 200 << 20;

    /** What decoding takes, in bytes for each point: four of the bitmap, and what the format's library needs beside it. */
    private const BYTES = ['image/jpeg' => 4, 'image/gif' => 5];
    private const BYTES_OTHERS = 8;

    /** @var resource|null held while any editor of this process has a picture */
    private static $lock = null;
    private static int $pictures = 0;
    private bool $counted = false;

    public function load()
    {
        if ($this->image) {
            return true;
        }
        $size = is_file($this->file) ? wp_getimagesize($this->file) : false;
        if ($size && $size[0] * $size[1] * (self::BYTES[$size['mime']] ?? self::BYTES_OTHERS) > self::MOST) {
            return new WP_Error('image_too_large', chatiere_french()
                ? 'Cette image est trop grande pour être transformée ici. Réduisez-la avant de l’envoyer.'
                : 'This picture is too large to be processed here. Reduce it before you upload it.', $this->file);
        }
        $this->lock();
        return parent::load();
    }

    /**
     * The turned picture is a second one in memory. It is only wanted for smaller sizes, so the large one is made
     * smaller first.
     */
    public function maybe_exif_rotate()
    {
        $size = $this->get_size();
        $threshold = (int) apply_filters('big_image_size_threshold', 2560, [$size['width'], $size['height']], $this->file, 0);
        $sizes = array_merge(...array_map(
            static fn (array $registered): array => [(int) $registered['width'], (int) $registered['height']],
            array_values(wp_get_registered_image_subsizes())
        ));
        // 9999 is how themes write "any".
        $largest = max([$threshold, ...array_filter($sizes, static fn (int $points): bool => $points < 9999)]);
        if ($threshold > 0 && max($size['width'], $size['height']) > $largest) {
            $this->resize($largest, $largest);
        }
        return parent::maybe_exif_rotate();
    }

    public function __destruct()
    {
        parent::__destruct();
        $this->image = null;
        if ($this->counted && --self::$pictures === 0) {
            self::$lock = null; // closing it unlocks it
        }
    }

    private function lock(): void
    {
        if ($this->counted) {
            return;
        }
        if (self::$pictures === 0) {
            self::$lock = fopen(WP_TEMP_DIR . '/pictures.lock', 'c') ?: null;
            if (self::$lock !== null) {
                flock(self::$lock, LOCK_EX);
            }
        }
        self::$pictures++;
        $this->counted = true;
    }
}
