"""Write predictions as tables, annotation files, figures, pages and videos."""
