"""Lesson 08 (clinic): write the page of symptoms into the folder in which this is called."""

from pathlib import Path

from course_utils.analysis.clinic.symptoms import PAGE, page

if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
