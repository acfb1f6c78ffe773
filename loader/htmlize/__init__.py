"""htmlize: lightly marked text to HTML, with plugins for roles and contents. The reference application.

>>> from loader.htmlize import Htmlizer, Post
>>> app = Htmlizer()
>>> app.htmlize("I like :tt:`pie`", Post(id=1, author="Joe"))
"""

from loader.htmlize.contract import HTMLIZE
from loader.htmlize.htmlizer import Htmlizer, Problem
from loader.htmlize.post import Post
from loader.htmlize.posts import SqlitePosts

__all__ = ["HTMLIZE", "Htmlizer", "Post", "Problem", "SqlitePosts"]
