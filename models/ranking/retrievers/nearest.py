"""Jobs whose text vectors are nearest to the user's, and the best ones of the collaborative model."""

from models.arrays import Ints
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.population import Population
from models.ranking.vector_index import nearest_jobs


def collaborative(_context: JobContext) -> ForUsers:
    """By the chosen collaborative model. The block holds the result of the search: scoring needs its greatest score."""

    def find(block: UserBlock, _k: int) -> Ints:
        return block.collaborative.jobs

    return lambda _people: find


def content(context: JobContext) -> ForUsers:
    """By text vectors."""

    def find(block: UserBlock, k: int) -> Ints:
        users = block.batch.content
        known = users.is_known[block.rows]
        return nearest_jobs(context.content_index, users.rows[block.rows], known, block.forbidden, k)[0]

    def for_users(_people: Population) -> Find:
        return find

    return for_users
